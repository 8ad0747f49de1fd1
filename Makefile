# tessera: `make help` lists the targets and switches.

VERSION := $(shell sed -n 's/.*TSR_VERSION "\(.*\)"/\1/p' base/version.h)
SOVERSION := 0

# ---- switches (make help) -----------------------------------------------------------------------
CC ?= cc
OPT ?= -O3
OPENMP ?= 1
SAN ?=
WERROR ?= 0
DEBUG ?= 0
V ?= 0
prefix ?= /usr/local
bindir ?= $(prefix)/bin
libdir ?= $(prefix)/lib
includedir ?= $(prefix)/include
mandir ?= $(prefix)/share/man
DESTDIR ?=
PKG_CONFIG ?= pkg-config

# ---- dependencies: installed once when something is missing, before their flags are asked for ----
ifneq ($(filter-out help clean print-config uninstall format deps,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell scripts/install-deps --check && echo found),found)
$(shell scripts/install-deps >&2)
ifneq ($(.SHELLSTATUS),0)
$(error dependencies are missing: see above)
endif
endif
endif

# ---- flags --------------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
            -Wwrite-strings -Wundef
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
BASE_FLAGS := -std=c11 -g -fvisibility=hidden -fno-math-errno -fPIC -I. $(WARNINGS)
ifeq ($(DEBUG),1)
BASE_FLAGS += -O1
else
BASE_FLAGS += $(OPT)
endif
ifeq ($(OPENMP),1)
BASE_FLAGS += -fopenmp
else
BASE_FLAGS += -Wno-unknown-pragmas
endif
comma := ,
ifneq ($(SAN),)
BASE_FLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
DEP_CFLAGS := $(shell $(PKG_CONFIG) --cflags openblas hdf5 2>/dev/null) -isystem /usr/include/stb
DEP_LIBS := $(shell $(PKG_CONFIG) --libs openblas hdf5 2>/dev/null) -lvl -lm -lpthread
TEST_LIBS := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)
ALL_CFLAGS := $(BASE_FLAGS) $(DEP_CFLAGS) $(CFLAGS)

# Objects of different flags never mix: each set of flags has its own folder.
HASH := $(shell printf '%s' "$(CC) $(ALL_CFLAGS)" | cksum | cut -d' ' -f1)
B := build/$(HASH)
ifneq ($(V),1)
Q := @
endif

# ---- sources ------------------------------------------------------------------------------------
LIB_DIRS := base data partition inner inner/kernels inner/kinds meta meta/methods image study
LIB_SRC := $(sort $(foreach d,$(LIB_DIRS),$(wildcard $(d)/*.c)))
CLI_SRC := $(sort $(wildcard cli/*.c))
TEST_SRC := $(sort $(wildcard tests/test_*.c))
HEADERS := $(sort $(foreach d,$(LIB_DIRS),$(wildcard $(d)/*.h)))

LIB_OBJ := $(LIB_SRC:%.c=$B/float/%.o)
# The numerical core once more with double parameters: derivative checks need the digits.
DBL_OBJ := $(LIB_SRC:%.c=$B/double/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$B/float/%.o)
TESTS_FLOAT := $(TEST_SRC:tests/%.c=$B/float/tests/%)
# Tests of the numerical core run in both precisions.
TESTS_DOUBLE := $(patsubst tests/%.c,$B/double/tests/%,$(wildcard tests/test_inner_*.c tests/test_meta_gradient*.c))

all: tessera libtessera.a libtessera.so
# The links are made anew each time: they lead to the build of the switches at hand.
.PHONY: all tessera libtessera.a libtessera.so

tessera: $B/tessera
	$(Q)ln -sf $< $@
libtessera.a: $B/libtessera.a
	$(Q)ln -sf $< $@
libtessera.so: $B/libtessera.so.$(VERSION)
	$(Q)ln -sf $< $@

# Code of others: its warnings are not ours to mend.
$B/float/data/stb.o $B/double/data/stb.o: FILE_FLAGS := -w

$B/float/%.o: %.c
	@mkdir -p $(@D)
	@[ $(V) = 1 ] || echo "  CC      $<"
	$(Q)$(CC) $(ALL_CFLAGS) $(FILE_FLAGS) -MMD -MP -c $< -o $@
$B/double/%.o: %.c
	@mkdir -p $(@D)
	@[ $(V) = 1 ] || echo "  CC(dbl) $<"
	$(Q)$(CC) $(ALL_CFLAGS) $(FILE_FLAGS) -DTSR_REAL_DOUBLE -MMD -MP -c $< -o $@

$B/libtessera.a: $(LIB_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^
$B/libtessera-double.a: $(DBL_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^
$B/libtessera.so.$(VERSION): $(LIB_OBJ)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libtessera.so.$(SOVERSION) $^ $(DEP_LIBS) -o $@
$B/tessera: $(CLI_OBJ) $B/libtessera.a
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(DEP_LIBS) -o $@

$B/float/tests/%: $B/float/tests/%.o $B/libtessera.a
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(DEP_LIBS) $(TEST_LIBS) -o $@
$B/double/tests/%: $B/double/tests/%.o $B/libtessera-double.a
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(DEP_LIBS) $(TEST_LIBS) -o $@

# Programs against the library, in docs/examples.
EXAMPLES := $(patsubst docs/examples/%.c,$B/examples/%,$(wildcard docs/examples/*.c))
$B/examples/%: docs/examples/%.c $B/libtessera.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(DEP_LIBS) -o $@
examples: $(EXAMPLES)
	@printf '%s\n' $^
.PHONY: examples

.SECONDARY:
-include $(shell find $B -name '*.d' 2>/dev/null)

# ---- checks -------------------------------------------------------------------------------------
.PHONY: deps check check-san demo test-programs help clean install uninstall print-config format
test-programs: $(TESTS_FLOAT) $(TESTS_DOUBLE) $(EXAMPLES) $B/tessera
check: all test-programs
	$(Q)tests/run $B
# The whole suite once more under AddressSanitizer and UBSan.
check-san:
	$(Q)$(MAKE) --no-print-directory check SAN=address,undefined OPT=-O1

demo: all
	./tessera demo

deps:
	scripts/install-deps

clean:
	rm -rf build tessera libtessera.a libtessera.so

format:
	clang-format -i $(LIB_SRC) $(CLI_SRC) $(TEST_SRC) $(HEADERS) $(wildcard cli/*.h tests/*.h docs/examples/*.c)

# ---- installation -------------------------------------------------------------------------------
install: all
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(mandir)/man1
	install -m 755 $B/tessera $(DESTDIR)$(bindir)/tessera
	install -m 644 $B/libtessera.a $(DESTDIR)$(libdir)/libtessera.a
	install -m 755 $B/libtessera.so.$(VERSION) $(DESTDIR)$(libdir)/libtessera.so.$(VERSION)
	ln -sf libtessera.so.$(VERSION) $(DESTDIR)$(libdir)/libtessera.so.$(SOVERSION)
	ln -sf libtessera.so.$(SOVERSION) $(DESTDIR)$(libdir)/libtessera.so
	for h in $(HEADERS); do install -D -m 644 $$h $(DESTDIR)$(includedir)/tessera/$$h || exit 1; done
	for m in docs/*.1; do install -m 644 $$m $(DESTDIR)$(mandir)/man1/ || exit 1; done
	sed -e 's|@prefix@|$(prefix)|' -e 's|@libdir@|$(libdir)|' -e 's|@includedir@|$(includedir)|' \
	    -e 's|@version@|$(VERSION)|' scripts/tessera.pc.in > $(DESTDIR)$(libdir)/pkgconfig/tessera.pc
uninstall:
	rm -f $(DESTDIR)$(bindir)/tessera $(DESTDIR)$(libdir)/libtessera.* $(DESTDIR)$(libdir)/pkgconfig/tessera.pc
	rm -f $(addprefix $(DESTDIR)$(mandir)/man1/,$(notdir $(wildcard docs/*.1)))
	rm -rf $(DESTDIR)$(includedir)/tessera

print-config:
	@echo "version   $(VERSION)"
	@echo "compiler  $(CC) ($(shell $(CC) -dumpfullversion -dumpversion))"
	@echo "flags     $(ALL_CFLAGS)"
	@echo "libraries $(DEP_LIBS)"
	@echo "objects   $B"

help:
	@echo "tessera $(VERSION)"
	@echo "  make               the program ./tessera and libtessera (static, shared)"
	@echo "  make demo          the whole chain on the sample photos; pictures in demo/"
	@echo "  make examples      small programs against libtessera (docs/examples)"
	@echo "  make check         the test suite; the last line counts what passed and failed"
	@echo "  make check-san     the same under AddressSanitizer and UBSan"
	@echo "  make install       DESTDIR=  prefix=/usr/local  (bindir libdir includedir mandir)"
	@echo "  make uninstall, clean, format, print-config, deps"
	@echo "switches"
	@echo "  OPENMP=0           build without threads"
	@echo "  SAN=address,undefined   sanitizers"
	@echo "  DEBUG=1            -O1 instead of OPT ($(OPT))"
	@echo "  WERROR=1           warnings are errors"
	@echo "  V=1                show the commands"
