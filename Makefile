# tessera: `make help` lists the targets and switches.

VERSION := $(shell sed -n 's/.*TSR_VERSION "\(.*\)"/\1/p' include/tessera.h)
# Until version 1.0 a new MINOR may change the binary interface: libtessera.so.0.1. From then on MAJOR.
SOVERSION := $(shell echo $(VERSION) | sed -e 's/^\(0\.[0-9]*\)\..*/\1/' -e '/^0/!s/\..*//')

# ---- switches (make help) -----------------------------------------------------------------------
CC ?= cc
OPT ?= -O3
OPENMP ?= 1
BLAS ?= 1
MPI ?= 0
IMAGE ?= auto
DOUBLE ?= 1
ARCHIVE ?= 1
SAN ?=
COVERAGE ?= 0
WERROR ?= 0
DEBUG ?= 0
V ?= 0
O ?= build
MODELS ?= 12k 25k 50k 100k 200k
STB_DIR ?=
prefix ?= /usr/local
bindir ?= $(prefix)/bin
libdir ?= $(prefix)/lib
includedir ?= $(prefix)/include
datadir ?= $(prefix)/share
mandir ?= $(datadir)/man
docdir ?= $(datadir)/doc/tessera
pythondir ?= $(libdir)/python3/dist-packages
DESTDIR ?=
PKG_CONFIG ?= pkg-config
OBJCOPY ?= objcopy
export CC CPPFLAGS PKG_CONFIG STB_DIR BLAS MPI IMAGE ARCHIVE

comma := ,

# ---- dependencies: their flags are asked for below, so what is missing is missing now ------------
GOALS := $(or $(MAKECMDGOALS),all)
BUILDS := $(filter-out help clean print-config uninstall format format-check lint deps dist check-san check-tsan check-valgrind check-arm64 coverage,$(GOALS))
ifneq ($(BUILDS),)
TESTS_TOO := $(filter check check-san check-unit check-threads check-memory check-short coverage-report fuzz fuzz-programs test-programs,$(BUILDS))$(findstring /tests/,$(BUILDS))
LEVEL := $(if $(TESTS_TOO),check,build)
MISSING := $(shell scripts/install-deps --missing $(LEVEL) | sed 's/$$/,/')
ifneq ($(MISSING),)
# The two commands of the README install it themselves; nothing else calls a package manager.
ifeq ($(filter-out demo check,$(BUILDS)),)
$(info missing: $(patsubst %$(comma),%,$(MISSING)))
$(shell scripts/install-deps $(LEVEL) >&2)
ifneq ($(.SHELLSTATUS),0)
$(error dependencies are missing: see above)
endif
else
$(error missing: $(MISSING) run "make deps", which installs it, or install it yourself)
endif
endif
endif

# ---- flags --------------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
            -Wwrite-strings -Wundef
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
BASE_FLAGS := -std=c11 -g -fvisibility=hidden -fno-math-errno -fPIC -I. -Iinclude $(WARNINGS)
ifeq ($(DEBUG),1)
BASE_FLAGS += -O1
else
BASE_FLAGS += $(OPT)
endif
ifeq ($(OPENMP),1)
BASE_FLAGS += -fopenmp
# What a program that links the static library needs: clang's runtime and gcc's differ.
OMP_LIB := $(if $(shell $(CC) --version 2>/dev/null | grep -i clang),-lomp,-lgomp)
else
BASE_FLAGS += -Wno-unknown-pragmas
endif
ifneq ($(SAN),)
# Line numbers are what reports show; to follow variables takes as long as all the rest of compiling.
BASE_FLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer -g1
endif
ifeq ($(COVERAGE),1)
BASE_FLAGS += --coverage -fprofile-update=prefer-atomic
endif
PACKAGES := hdf5 zlib
ifeq ($(BLAS),0)
BASE_FLAGS += -DTSR_NO_BLAS
WITHOUT := base/blas.c inner/kernels/kernel_blas.c meta/last_layer.c meta/principal.c tests/test_base_blas.c tests/test_image_start.c
else
PACKAGES := openblas hdf5 zlib
endif
# Decoders of JPEG and PNG, where these are; stb_image is in any case.
ifeq ($(IMAGE),auto)
IMAGE_PACKAGES := $(shell for p in libjpeg spng; do $(PKG_CONFIG) --exists $$p 2>/dev/null && echo $$p; done)
else ifneq ($(IMAGE),stb)
$(error IMAGE=$(IMAGE) is neither auto nor stb)
endif
PACKAGES += $(IMAGE_PACKAGES)
BASE_FLAGS += $(if $(filter libjpeg,$(IMAGE_PACKAGES)),-DTSR_HAVE_LIBJPEG) $(if $(filter spng,$(IMAGE_PACKAGES)),-DTSR_HAVE_LIBSPNG)
WITHOUT += $(if $(filter libjpeg,$(IMAGE_PACKAGES)),,data/decoders/libjpeg.c) $(if $(filter spng,$(IMAGE_PACKAGES)),,data/decoders/libspng.c)
ifeq ($(ARCHIVE),0)
BASE_FLAGS += -DTSR_NO_ARCHIVE
else
LIBARCHIVE := libarchive
endif
DEP_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) $(LIBARCHIVE) 2>/dev/null) $(shell scripts/find-stb)
# What libarchive itself needs is no business of who links the static library: it is linked with its
# shared one.
ARCHIVE_LIBS := $(if $(LIBARCHIVE),$(shell $(PKG_CONFIG) --libs $(LIBARCHIVE) 2>/dev/null))
DEP_LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) $(ARCHIVE_LIBS) -lm -lpthread
# Open MPI or MPICH, for the program that several processes run together; the library knows nothing of it.
MPI_PACKAGE := $(firstword $(foreach p,mpi-c ompi-c mpich,$(shell $(PKG_CONFIG) --exists $p 2>/dev/null && echo $p)))
MPI_CFLAGS := $(if $(MPI_PACKAGE),$(shell $(PKG_CONFIG) --cflags $(MPI_PACKAGE)))
MPI_LIBS := $(if $(MPI_PACKAGE),$(shell $(PKG_CONFIG) --libs $(MPI_PACKAGE)))
TEST_LIBS := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)
ALL_CFLAGS := $(BASE_FLAGS) $(DEP_CFLAGS) $(CPPFLAGS) $(CFLAGS)

# Objects of different flags never mix: each set of flags has its own folder.
quoted = '$(subst ','\'',$(1))'
HASH := $(shell printf '%s' $(call quoted,$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(DEP_LIBS)) | cksum | cut -d' ' -f1)
B := $(O)/$(HASH)
ifneq ($(V),1)
Q := @
endif

# ---- sources ------------------------------------------------------------------------------------
ROOMS := base data partition inner meta image study
LIB_DIRS := $(ROOMS) data/decoders partition/rules inner/adaptations inner/kinds inner/kernels inner/optimizers meta/losses meta/methods
LIB_SRC := $(filter-out $(WITHOUT),$(sort $(foreach d,$(LIB_DIRS),$(wildcard $(d)/*.c))))
CLI_SRC := $(sort $(filter-out cli/ranks_%.c,$(wildcard cli/*.c)))
TEST_SRC := $(filter-out $(WITHOUT),$(sort $(wildcard tests/test_*.c)))
HEADERS := $(sort $(wildcard include/*.h) $(foreach d,$(LIB_DIRS),$(wildcard $(d)/*.h)))

LIB_OBJ := $(LIB_SRC:%.c=$B/float/%.o)
# The numerical core once more with double parameters: derivative checks need the digits.
DBL_OBJ := $(LIB_SRC:%.c=$B/double/%.o)
# The pages of eval and watch are in the program.
PAGE := $(addprefix cli/report/,page.html watch.html style.html charts.html page.css page.js charts.js watch.js hypothesis.html hypothesis.js uPlot.iife.min.js uPlot.min.css uPlot.LICENSE)
CLI_OBJ := $(CLI_SRC:%.c=$B/float/%.o) $B/report_assets.o
# Who the other processes are: nobody, or what MPI says.
ALONE := $B/float/cli/ranks_one.o
WITH_MPI := $B/float/cli/ranks_mpi.o
# The program without main(), for its unit tests.
CLI_PARTS := $(filter-out %/cli/main.o,$(CLI_OBJ)) $(ALONE)
PROGRAM := $B/$(if $(filter 1,$(MPI)),mpi/)tessera
# The suite has a test of it where MPI is there; sanitizers do not go with it.
MPI_PROGRAM := $(if $(SAN),,$(if $(MPI_PACKAGE),$(if $(shell command -v mpirun),$B/mpi/tessera)))
TESTS_FLOAT := $(TEST_SRC:tests/%.c=$B/float/tests/%)
# Tests of the numerical core run in both precisions.
TESTS_DOUBLE := $(if $(filter 1,$(DOUBLE)),$(patsubst tests/%.c,$B/double/tests/%,$(wildcard tests/test_inner_*.c tests/test_meta_gradient*.c)))

# What the program says of itself: man pages (their OPTIONS), completion of the command line.
MAN := $(patsubst docs/man/%.in,$B/man/%,$(wildcard docs/man/*.in))
MAN_FORMATS := $B/man/tessera-formats.5
COMPLETION := $B/completion/bash $B/completion/zsh
PYTHON_MODULE := $(wildcard python/tessera/*.py)
# Learned from the sample photos, which takes eigenvalues: in no build without OpenBLAS.
BUILT_IN := $(if $(filter 0,$(BLAS)),,$(MODELS:%=$B/models/%.h5))
# The documentation, laid out as here, and the photos of tessera demo: folder by folder.
SHARED_DIRS := . docs docs/examples docs/results $(patsubst %/.,%,$(wildcard docs/results/*/.)) data/sample $(patsubst %/.,%,$(wildcard data/sample/*/.))
shared_files = $(wildcard $(if $(filter .,$(1)),README.md CHANGELOG.md LICENSE CITATION.cff,$(foreach k,md jpg svg c ipynb,$(1)/*.$(k))))
# where the files of a folder are installed
shared_place = $(if $(filter data/%,$(1)),$(datadir)/tessera$(1:data%=%),$(docdir)$(if $(filter .,$(1)),,/$(1)))

all: tessera libtessera.a libtessera.so $(MAN) $(MAN_FORMATS) $(COMPLETION)
# The links are made anew each time: they lead to the build of the switches at hand.
.PHONY: all tessera libtessera.a libtessera.so

tessera: $(PROGRAM)
	$(Q)ln -sf $< $@
libtessera.a: $B/public/libtessera.a
	$(Q)ln -sf $< $@
libtessera.so: $B/libtessera.so.$(VERSION)
	$(Q)ln -sf $< $@

# Code of others: its warnings are not ours to mend, nor the bits that its JPEG writer shifts out of an int.
$B/float/data/stb.o $B/double/data/stb.o: FILE_FLAGS := -w -fno-sanitize=shift

$(WITH_MPI): FILE_FLAGS := $(MPI_CFLAGS)

$B/report_assets.c: scripts/embed $(PAGE)
	@mkdir -p $(@D)
	$(Q)scripts/embed cli_asset_ $(PAGE) > $@.part && mv $@.part $@
$B/report_assets.o: $B/report_assets.c
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@
$B/float/%.o: %.c
	@mkdir -p $(@D)
	@[ $(V) = 1 ] || echo "  CC      $<"
	$(Q)$(CC) $(ALL_CFLAGS) $(FILE_FLAGS) -MMD -MP -c $< -o $@
$B/double/%.o: %.c
	@mkdir -p $(@D)
	@[ $(V) = 1 ] || echo "  CC(dbl) $<"
	$(Q)$(CC) $(ALL_CFLAGS) $(FILE_FLAGS) -DTSR_REAL_DOUBLE -MMD -MP -c $< -o $@

# The library in parts, for the program and the tests, which call its insides.
$B/libtessera.a: $(LIB_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^
# What is installed: one object in which only the public functions are left to link with.
$B/public/libtessera.a: $(LIB_OBJ)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fopenmp,$(ALL_CFLAGS)) -r -nostdlib $^ -o $(@D)/tessera.o && $(OBJCOPY) --localize-hidden $(@D)/tessera.o
	$(Q)rm -f $@ && ar rcs $@ $(@D)/tessera.o
$B/libtessera-double.a: $(DBL_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^
$B/libtessera.so.$(VERSION): $(LIB_OBJ)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libtessera.so.$(SOVERSION) -Wl,-z,defs $^ $(DEP_LIBS) -o $@
$B/tessera: $(CLI_OBJ) $(ALONE) $B/libtessera.a
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(DEP_LIBS) -o $@
$B/mpi/tessera: $(CLI_OBJ) $(WITH_MPI) $B/libtessera.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(DEP_LIBS) $(MPI_LIBS) -o $@

$B/float/tests/test_cli_%: $B/float/tests/test_cli_%.o $(CLI_PARTS) $B/libtessera.a
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(DEP_LIBS) $(TEST_LIBS) -o $@
$B/float/tests/%: $B/float/tests/%.o $B/libtessera.a
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(DEP_LIBS) $(TEST_LIBS) -o $@
$B/double/tests/%: $B/double/tests/%.o $B/libtessera-double.a
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(DEP_LIBS) $(TEST_LIBS) -o $@

# The kernels see no bytes of a file, and take minutes to compile under sanitizers.
ifneq ($(findstring fuzzer,$(SAN)),)
$B/float/inner/kernels/%.o: FILE_FLAGS := -fno-sanitize=all
endif
# Targets for libFuzzer. With a main() of their own they read files: what was found is tested so.
FUZZ := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_REPLAY := $(FUZZ:%=$B/float/tests/fuzz/%)
$(FUZZ_REPLAY): $B/float/tests/fuzz/%: $B/float/tests/fuzz/%.o $B/float/tests/fuzz/replay.o $B/float/tests/fuzz/fuzz.o $(CLI_PARTS) $B/libtessera.a
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(DEP_LIBS) -o $@
$(FUZZ:%=$B/fuzz/%): $B/fuzz/%: $B/float/tests/fuzz/%.o $B/float/tests/fuzz/fuzz.o $(CLI_PARTS) $B/libtessera.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) $^ $(DEP_LIBS) -o $@
fuzz-programs: $(FUZZ:%=$B/fuzz/%) $B/tessera
	@echo $B
fuzz:
	$(Q)$(MAKE) --no-print-directory CC=clang SAN=fuzzer-no-link,address,undefined OPT=-O1 OPENMP=0 fuzz-programs
.PHONY: fuzz fuzz-programs

$B/man/%: docs/man/%.in scripts/man-page $B/tessera
	@mkdir -p $(@D)
	$(Q)scripts/man-page $B/tessera $< > $@.part && mv $@.part $@
$(MAN_FORMATS): docs/formats.md scripts/man-formats
	@mkdir -p $(@D)
	$(Q)scripts/man-formats $(VERSION) $< > $@.part && mv $@.part $@
$B/completion/%: $B/tessera
	@mkdir -p $(@D)
	$(Q)$B/tessera help --completion $* > $@.part && mv $@.part $@

# Not anew for a program that was linked anew: what they depend on is this.
$B/models/%.h5: scripts/make-models image/presets.c meta/principal.c $(wildcard data/sample/train/*) | $B/tessera
	@echo "  LEARN   $@"
	$(Q)scripts/make-models $(abspath $B/tessera) $(@D) $*
models: $(BUILT_IN)
.PHONY: models

# Programs against the library, in docs/examples.
EXAMPLES := $(patsubst docs/examples/%.c,$B/examples/%,$(wildcard docs/examples/*.c))
$B/examples/%: docs/examples/%.c $B/libtessera.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(DEP_LIBS) -o $@
examples: $(EXAMPLES)
	@printf '%s\n' $^
.PHONY: examples

# Loaded before the program, it makes system calls and allocations fail.
INJECT := $B/fault/inject.so
$(INJECT): tests/fault/inject.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O1 -g -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) -fPIC -shared $< -o $@

.SECONDARY:
-include $(shell find $B -name '*.d' 2>/dev/null)

# ---- checks -------------------------------------------------------------------------------------
.PHONY: deps check check-san check-unit demo dist test-programs help clean install uninstall print-config \
        format format-check lint check-docs check-short check-tsan check-threads check-valgrind check-memory coverage \
        coverage-report threaded-programs remembered-programs
test-programs: $(TESTS_FLOAT) $(TESTS_DOUBLE) $(FUZZ_REPLAY) $(EXAMPLES) $(INJECT) $B/tessera $(MPI_PROGRAM)
check: all test-programs
	+$(Q)tests/run $B $(if $(SAN),unit cli)
# The unit tests alone.
check-unit: test-programs
	$(Q)tests/run $B unit
# The whole chain of commands, the examples and what is installed.
check-short: all examples
	+$(Q)TESTS="cli/chain.sh cli/examples.sh structure/exports.sh structure/house.sh structure/install.sh" \
	    tests/run $B cli structure
# Every fault at every place (a quarter of an hour), of which check has a sample; full disks; 200 kills. docs/reliability.md.
check-faults: all $(INJECT)
	$(Q)python3 tests/fault/kill.py $B/tessera 200
	$(Q)python3 tests/fault/steady.py $B/tessera 10000
	$(Q)python3 tests/fault/places.py $B/tessera
	$(Q)python3 tests/fault/faults.py $B/tessera $(INJECT)
.PHONY: check-faults
# Unit tests and command lines once more under AddressSanitizer and UBSan. What exists for tests alone,
# the core in double precision, is left out here and where lines are counted.
check-san:
	+$(Q)$(MAKE) --no-print-directory check SAN=address,undefined OPT=-O1 DOUBLE=0

# What shares work between threads, under ThreadSanitizer, which Archer tells of OpenMP's barriers and
# locks. HDF5 and OpenBLAS are not made for it: what they do is not looked at. Training runs as a
# command (threads/runs.sh): the runtime of clang 14 dies in the loader of test_image_training.
THREADED := base_threads data_sampler inner_forwards inner_loop inner_pass inner_team image_fit image_reconstruct \
            image_regions meta_gradient_adaptations study_growth api
threaded-programs: $(THREADED:%=$B/float/tests/test_%) $B/tessera
check-threads: threaded-programs
	+$(Q)TESTS="$(THREADED:%=test_%) threads/control.sh threads/runs.sh" tests/run $B unit threads
ARCHER = $(firstword $(wildcard $(addsuffix /libarcher.so,/usr/lib/llvm-$(shell $(CC) -dumpversion | cut -d. -f1)/lib \
             $(dir $(shell $(CC) -print-file-name=libomp.so)))))
check-tsan:
	+$(Q)$(MAKE) --no-print-directory check-threads CC=clang SAN=thread OPT=-O1
check-threads: export OMP_TOOL_LIBRARIES = $(ARCHER)
check-threads: export TSR_OMP_TOOL = $(ARCHER)
check-threads: export TSAN_OPTIONS = ignore_noninstrumented_modules=1 halt_on_error=1 exitcode=66

# The numerical core cross-compiled for arm64, under qemu-user.
check-arm64:
	$(Q)scripts/check-arm64
.PHONY: check-arm64

# A short suite under valgrind: every command, and the tests of what handles memory and files.
REMEMBERED := base_memory base_status cli_json cli_options data_file data_h5 data_image data_labels data_memory \
              image_files partition_regions
remembered-programs: $(REMEMBERED:%=$B/float/tests/test_%) $B/tessera
check-memory: remembered-programs
	+$(Q)WRAP=$(if $(shell command -v valgrind),tests/memory/memcheck) OMP_NUM_THREADS=2 \
	    TESTS="$(REMEMBERED:%=test_%) memory/control.sh" tests/run $B unit memory
check-valgrind:
	+$(Q)$(MAKE) --no-print-directory check-memory OPT=-O1

# The lines of the library that the tests run, by gcov; fewer than LINES per cent are a failure.
LINES ?= 90
coverage:
	+$(Q)$(MAKE) --no-print-directory coverage-report COVERAGE=1 OPT=-O1 DOUBLE=0
coverage-report: export TSR_COVERAGE = 1
coverage-report: all test-programs
	$(Q)find $B -name '*.gcda' -delete
	+$(Q)tests/run $B unit cli
	$(Q)scripts/coverage $B $(LINES)

demo: all
	./tessera demo

deps:
	scripts/install-deps

# In a folder of another name only the objects of the switches at hand.
clean:
	rm -rf $(if $(filter build,$(O)),build,$B) tessera libtessera.a libtessera.so

LAID_OUT = $(LIB_SRC) $(CLI_SRC) cli/ranks_one.c cli/ranks_mpi.c $(TEST_SRC) $(HEADERS) $(wildcard cli/*.h tests/*.h tests/*/*.c docs/examples/*.c)
format:
	clang-format -i $(LAID_OUT)
format-check:
	clang-format --dry-run -Werror $(LAID_OUT)
# Every command block of the documentation, run by the installed program.
check-docs: all
	+$(Q)tests/run $B docs
# The layout, and what shellcheck, cppcheck and clang-tidy find.
lint:
	+$(Q)TSR_CFLAGS=$(call quoted,$(ALL_CFLAGS) $(MPI_CFLAGS)) TSR_WITHOUT=$(if $(MPI_PACKAGE),,ranks_mpi.c) tests/run . lint

# The same bytes from the same commit.
DIST := tessera-$(VERSION)
dist:
	@mkdir -p $(O)
	@git diff --quiet HEAD || echo "dist: of the last commit, without the changes since" >&2
	$(Q)git archive --format=tar --prefix=$(DIST)/ HEAD | gzip -9n > $(O)/$(DIST).tar.gz
	@echo $(O)/$(DIST).tar.gz

# ---- installation -------------------------------------------------------------------------------
# Folders may hold blanks, quotes and, doubled as make wants it, dollars; the pkg-config file names
# absolute ones.
to = $(call quoted,$(DESTDIR)$(1))
absolute = "$$(case $(call quoted,$(1)) in /*) printf %s $(call quoted,$(1));; *) printf %s/%s "$$PWD" $(call quoted,$(1));; esac | sed 's/[&|\\]/\\&/g')"
install: all $(BUILT_IN)
	install -d $(call to,$(bindir)) $(call to,$(libdir)/pkgconfig) $(call to,$(includedir)) $(call to,$(mandir)/man1)
	install -m 755 $(PROGRAM) $(call to,$(bindir)/tessera)
	install -m 644 $B/public/libtessera.a $(call to,$(libdir)/libtessera.a)
	install -m 755 $B/libtessera.so.$(VERSION) $(call to,$(libdir)/libtessera.so.$(VERSION))
	ln -sf libtessera.so.$(VERSION) $(call to,$(libdir)/libtessera.so.$(SOVERSION))
	ln -sf libtessera.so.$(SOVERSION) $(call to,$(libdir)/libtessera.so)
	$(if $(wildcard include/tessera.h),install -m 644 include/tessera.h $(call to,$(includedir)/tessera.h))
	install -m 644 $(MAN) $(call to,$(mandir)/man1)
	install -D -m 644 $(MAN_FORMATS) $(call to,$(mandir)/man5/tessera-formats.5)
	install -D -m 644 $B/completion/bash $(call to,$(datadir)/bash-completion/completions/tessera)
	install -D -m 644 $B/completion/zsh $(call to,$(datadir)/zsh/site-functions/_tessera)
	$(foreach d,$(SHARED_DIRS),install -d $(call to,$(call shared_place,$(d))) && install -m 644 $(call shared_files,$(d)) $(call to,$(call shared_place,$(d))) &&) true
	install -d $(call to,$(pythondir)/tessera)
	install -m 644 $(PYTHON_MODULE) $(call to,$(pythondir)/tessera)
	install -D -m 644 share/celebamask-hq.txt $(call to,$(datadir)/tessera/celebamask-hq.txt)
	$(if $(BUILT_IN),install -d $(call to,$(datadir)/tessera/models) && install -m 644 $(BUILT_IN) $(call to,$(datadir)/tessera/models))
	sed -e "s|@prefix@|"$(call absolute,$(prefix))"|" -e "s|@libdir@|"$(call absolute,$(libdir))"|" \
	    -e "s|@includedir@|"$(call absolute,$(includedir))"|" -e 's|@version@|$(VERSION)|' \
	    -e 's|@packages@|$(PACKAGES)|' -e 's|@libs@|$(strip $(OMP_LIB)) $(ARCHIVE_LIBS) -lm -lpthread|' \
	    scripts/tessera.pc.in > $(call to,$(libdir)/pkgconfig/tessera.pc)
# A Debian package; the switches are those of the build.
deb: all $(BUILT_IN)
	+$(Q)MAKE=$(call quoted,$(MAKE)) scripts/make-deb $(O)
.PHONY: deb
uninstall:
	rm -f $(call to,$(bindir)/tessera) $(call to,$(libdir)/libtessera.a) $(call to,$(libdir)/libtessera.so) \
	    $(call to,$(libdir)/libtessera.so.$(SOVERSION)) $(call to,$(libdir)/libtessera.so.$(VERSION)) \
	    $(call to,$(libdir)/pkgconfig/tessera.pc) $(call to,$(includedir)/tessera.h)
	rm -f $(call to,$(datadir)/bash-completion/completions/tessera) $(call to,$(datadir)/zsh/site-functions/_tessera)
	rm -f $(call to,$(datadir)/tessera/celebamask-hq.txt)
	for m in $(notdir $(BUILT_IN)); do rm -f $(call to,$(datadir)/tessera/models)/"$$m"; done
	for m in $(notdir $(MAN)); do rm -f $(call to,$(mandir)/man1)/"$$m"; done
	rm -f $(call to,$(mandir)/man5/tessera-formats.5)
	for m in $(notdir $(PYTHON_MODULE)); do rm -f $(call to,$(pythondir)/tessera)/"$$m"; done
	rm -rf $(call to,$(pythondir)/tessera/__pycache__)
	$(foreach d,$(SHARED_DIRS),for f in $(notdir $(call shared_files,$(d))); do rm -f $(call to,$(call shared_place,$(d)))/"$$f"; done;)
	for d in $(call to,$(docdir)) $(call to,$(datadir)/tessera) $(call to,$(pythondir)/tessera); do \
	    [ ! -d "$$d" ] || find "$$d" -depth -type d -empty -exec rmdir {} \;; done

print-config:
	@echo "version   $(VERSION)"
	@echo "compiler  $(CC) ($(shell $(CC) -dumpfullversion -dumpversion))"
	@echo "flags     "$(call quoted,$(ALL_CFLAGS))
	@echo "libraries $(DEP_LIBS)"
	@echo "objects   $B"

help:
	@echo "tessera $(VERSION)"
	@echo "  make               the program ./tessera and libtessera (static, shared)"
	@echo "  make demo          the whole chain on the sample photos; pictures in demo/"
	@echo "  make check         the test suite; the last line counts what passed, failed, was skipped"
	@echo "  make check-unit    the unit tests alone"
	@echo "  make check-faults  every system call and allocation of every command fails once; 200 kills"
	@echo "  make check-san     unit tests and command lines under AddressSanitizer and UBSan"
	@echo "  make check-tsan    what shares work between threads, under ThreadSanitizer"
	@echo "  make check-valgrind  every command, and tests of memory and files, under valgrind"
	@echo "  make check-arm64   the numerical core, cross-compiled, under qemu-user"
	@echo "  make check-docs    every command block of README.md and docs/, briefly, by the installed program"
	@echo "  make lint          layout, shellcheck, cppcheck, clang-tidy"
	@echo "  make coverage      lines of the library that the tests run"
	@echo "  make fuzz          the targets of libFuzzer (clang); scripts/fuzz SECONDS runs them"
	@echo "  make models        the built-in models of adapt and eval, learned from the sample photos"
	@echo "  make examples      small programs against libtessera (docs/examples)"
	@echo "  make test-programs the programs of the test suite, not run"
	@echo "  make deps          install what is missing (Debian, Ubuntu), or name it; demo and check"
	@echo "                     do so by themselves, all others stop"
	@echo "  make install       DESTDIR=  prefix=/usr/local  (bindir libdir includedir datadir"
	@echo "                     mandir docdir pythondir)"
	@echo "  make deb           a Debian package in $(O)/"
	@echo "  make dist          the last commit as $(O)/$(DIST).tar.gz"
	@echo "  make uninstall, clean, format, format-check, print-config"
	@echo "switches"
	@echo "  OPENMP=0           build without threads"
	@echo "  BLAS=0             build without OpenBLAS and the kernel \"blas\""
	@echo "  MPI=1              the program for several processes, with Open MPI or MPICH (docs/cluster.md)"
	@echo "  IMAGE=stb          decode JPEG and PNG by stb_image, even where libjpeg and libspng are"
	@echo "  DOUBLE=0           leave out the tests of the numerical core in double precision"
	@echo "  ARCHIVE=0          build without libarchive: of archives only zip files are read"
	@echo "  SAN=address,undefined   sanitizers"
	@echo "  COVERAGE=1         counts for gcov"
	@echo "  DEBUG=1            -O1 instead of OPT ($(OPT))"
	@echo "  WERROR=1           warnings are errors"
	@echo "  V=1                show the commands"
	@echo "  O=build            folder of the objects"
	@echo "  MODELS=\"25k 50k\"   built-in models that are learned and installed, of $(MODELS)"
	@echo "  STB_DIR=           folder of stb_image.h, where neither pkg-config nor the compiler finds it"
	@echo "  CC CPPFLAGS CFLAGS LDFLAGS PKG_CONFIG OBJCOPY as usual"
