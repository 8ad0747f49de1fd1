/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700
#include "cli/outputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/signals.h"
#include "data/file.h"
#include "data/file_name.h"

#define MOST_LOCKS 64 /* each takes a descriptor */

/* What is there: device and inode. What is not: those of its folder, and its name in it. */
struct identity {
    dev_t device;
    ino_t inode;
    const char *name; /* "": it is there. View of `target` */
    bool any_case;    /* names of that folder do not tell A from a */
};

struct output {
    char *path, *target, *folder; /* as given; what that leads to; the folder of that */
    struct identity is;
    mode_t mode; /* type and permissions of what is there; 0: nothing is */
    enum cli_file kind;
    struct tsr_file_lock *lock;
};

struct cli_files {
    struct output *outputs;
    struct identity *inputs;
    size_t n_outputs, n_inputs;
    struct identity resumed;
    bool resumes, replaces, to_stdout;
    size_t from_stdin;
    char **made; /* [n_made] folders, those in others behind them */
    size_t n_made;
};

static enum tsr_status no_memory(struct cli_call *call) {
    return TSR_ERROR(&call->err, TSR_ERR_NO_MEMORY, "no memory for the names of files");
}

/* ---- the list -------------------------------------------------------------------------------- */

static const char FILES[] = "names of files";

enum tsr_status cli_files_reads(struct cli_call *call, const char *path) {
    struct cli_files *f = call->files;
    struct stat info;
    /* What is missing is told when it is read. */
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) return TSR_OK;
    TSR_TRY(TSR_GROW(&f->inputs, f->n_inputs, FILES, &call->err));
    f->inputs[f->n_inputs++] =
        (struct identity){.device = info.st_dev, .inode = info.st_ino, .name = ""};
    return TSR_OK;
}

enum tsr_status cli_files_resumes(struct cli_call *call, const char *path) {
    struct stat info;
    if (stat(path, &info) != 0) return TSR_OK;
    call->files->resumed =
        (struct identity){.device = info.st_dev, .inode = info.st_ino, .name = ""};
    call->files->resumes = true;
    return TSR_OK;
}

void cli_files_replaces(struct cli_call *call) {
    call->files->replaces = true;
}

enum tsr_status cli_files_folder(struct cli_call *call, const char *path) {
    bool there = cli_is_folder(path);
    TSR_TRY(cli_make_folder(path, &call->err));
    if (there) return TSR_OK;
    struct cli_files *f = call->files;
    bool room = TSR_GROW(&f->made, f->n_made, FILES, &call->err) == TSR_OK;
    char *name = room ? strdup(path) : NULL;
    if (!name) {
        (void)rmdir(path);
        return no_memory(call);
    }
    f->made[f->n_made++] = name;
    return TSR_OK;
}

static bool folds_case(const char *folder) {
#ifdef _PC_CASE_SENSITIVE
    return pathconf(folder, _PC_CASE_SENSITIVE) == 0;
#else
    (void)folder;
    return false;
#endif
}

static enum tsr_status identify(struct output *o, struct tsr_error *err) {
    struct stat info;
    if (stat(o->target, &info) == 0) {
        o->mode = info.st_mode;
        o->is = (struct identity){.device = info.st_dev, .inode = info.st_ino, .name = ""};
        return TSR_OK;
    }
    if (errno != ENOENT && errno != ENOTDIR)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: %s", o->path, strerror(errno));
    if (stat(o->folder, &info) != 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot create a file there: %s", o->path,
                         strerror(errno));
    o->is = (struct identity){.device = info.st_dev,
                              .inode = info.st_ino,
                              .name = tsr_path_name(o->target),
                              .any_case = folds_case(o->folder)};
    return TSR_OK;
}

/* A picture is PNG, whatever its name: one that says otherwise is a slip. */
static enum tsr_status check_ending(const char *path, struct tsr_error *err) {
    static const char *const others[] = {".jpg",  ".jpeg", ".jpe",  ".jfif", ".bmp", ".gif",
                                         ".tif",  ".tiff", ".webp", ".ppm",  ".pgm", ".pnm",
                                         ".heic", ".avif", ".jp2",  ".svg",  ".pdf", ".npy"};
    const char *name = tsr_path_name(path), *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < sizeof others / sizeof *others; i++)
        if (strcasecmp(ending, others[i]) == 0)
            return TSR_ERROR(err, TSR_ERR_CONFIG,
                             "%s: pictures are written as PNG; name it %.*s.png", path,
                             (int)(ending - name), name);
    return TSR_OK;
}

enum tsr_status cli_files_writes(struct cli_call *call, const char *path, enum cli_file kind) {
    struct cli_files *f = call->files;
    struct stat info;
    if (cli_is_folder(path))
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "%s is a folder, not a file to write", path);
    if (kind == CLI_WRITES_PNG) TSR_TRY(check_ending(path, &call->err));
    TSR_TRY(TSR_GROW(&f->outputs, f->n_outputs, FILES, &call->err));
    struct output *o = &f->outputs[f->n_outputs++];
    *o = (struct output){.path = strdup(path), .kind = kind};
    if (!o->path) return no_memory(call);
    /* A link to what is no file, such as /dev/stdout, leads to no path. */
    bool stream =
        tsr_path_descriptor(path) >= 0 || (stat(path, &info) == 0 && !S_ISREG(info.st_mode));
    if (stream)
        o->target = strdup(path);
    else
        TSR_TRY(tsr_file_target(path, &o->target, &call->err));
    o->folder = o->target ? tsr_path_folder(o->target) : NULL;
    if (!o->folder) return no_memory(call);
    TSR_TRY(identify(o, &call->err));
    if (tsr_path_descriptor(path) >= 0) o->mode = S_IFIFO; /* whatever it leads to stays */
    if (kind == CLI_WRITES_HDF5 && o->mode && !S_ISREG(o->mode))
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                         "%s: an HDF5 file cannot be written to a pipe or a device; name a file",
                         path);
    return TSR_OK;
}

/* ---- standard input and output --------------------------------------------------------------- */

static enum tsr_status take_stdin(struct cli_call *call, const char **path, enum cli_file kind) {
    struct stat info;
    bool regular = fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode);
    if (kind == CLI_READS_FOLDER)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                         "-: standard input is no folder of files; name files or folders");
    if (kind == CLI_READS_HDF5 && !regular)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                         "-: an HDF5 file cannot be read from a pipe; name a file");
    if (call->files->from_stdin++)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "standard input can be read once only");
    *path = "/dev/stdin";
    return TSR_OK;
}

static enum tsr_status take_stdout(struct cli_call *call, const char **path, enum cli_file kind) {
    if (kind == CLI_WRITES_HDF5 || kind == CLI_WRITES_FOLDER)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                         "%s: an HDF5 file cannot be written to a pipe; name a file", *path);
    if (call->files->to_stdout)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "two outputs are to go to standard output");
    if (kind == CLI_WRITES_PNG && isatty(STDOUT_FILENO))
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                         "%s: a picture is not written to a terminal; name a file", *path);
    call->files->to_stdout = true;
    *path = "/dev/stdout";
    return TSR_OK;
}

bool cli_stdout_taken(const struct cli_call *call) {
    return call->files->to_stdout;
}

static enum tsr_status take(struct cli_call *call, const char **path, enum cli_file kind) {
    bool reads = kind <= CLI_READS_FOLDER;
    if (reads && strcmp(*path, "-") == 0) TSR_TRY(take_stdin(call, path, kind));
    if (reads) return cli_files_reads(call, *path);
    if (cli_is_stdout(*path)) return take_stdout(call, path, kind);
    return kind == CLI_WRITES_FOLDER ? TSR_OK : cli_files_writes(call, *path, kind);
}

static enum tsr_status collect(struct cli_call *call) {
    const struct cli_option *o = call->table->option;
    const struct cli_command *c = call->command;
    for (size_t i = 0; o[i].type != CLI_END; i++) {
        if (o[i].file == CLI_NO_FILE) continue;
        const char **path = (void *)((char *)call->args + o[i].at);
        if (!*path || (o[i].each && !cli_is_stdout(*path))) continue;
        TSR_TRY(take(call, path, o[i].file));
    }
    for (size_t i = 0; i < call->n_operands; i++) {
        enum cli_file kind = i == 0 ? c->first_operand : c->operand;
        if (kind != CLI_NO_FILE) TSR_TRY(take(call, &call->operands[i], kind));
    }
    return TSR_OK;
}

/* ---- the check ------------------------------------------------------------------------------- */

static int compare(const struct identity *a, const struct identity *b) {
    if (a->device != b->device) return a->device < b->device ? -1 : 1;
    if (a->inode != b->inode) return a->inode < b->inode ? -1 : 1;
    return a->any_case && b->any_case ? strcasecmp(a->name, b->name) : strcmp(a->name, b->name);
}

static int by_identity(const void *a, const void *b) {
    return compare(&((const struct output *)a)->is, &((const struct output *)b)->is);
}

static const struct output *output_of(const struct cli_files *f, const struct identity *is) {
    const struct output key = {.is = *is};
    return f->n_outputs ? bsearch(&key, f->outputs, f->n_outputs, sizeof *f->outputs, by_identity)
                        : NULL;
}

static bool is_resumed(const struct cli_files *f, const struct identity *is) {
    return f->resumes && compare(is, &f->resumed) == 0;
}

/* Of outputs sorted by identity. What is no regular file, such as /dev/null, may be any number. */
static enum tsr_status check_apart(struct cli_call *call) {
    const struct cli_files *f = call->files;
    for (size_t i = 1; i < f->n_outputs; i++) {
        const struct output *a = &f->outputs[i - 1], *b = &f->outputs[i];
        if (by_identity(a, b) != 0 || (a->mode && !S_ISREG(a->mode))) continue;
        if (strcmp(a->path, b->path) == 0)
            return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "%s is to be written twice", a->path);
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                         "%s and %s are one file, which is to be written twice", a->path, b->path);
    }
    for (size_t i = 0; i < f->n_inputs; i++) {
        const struct output *o = output_of(f, &f->inputs[i]);
        if (o && S_ISREG(o->mode) && !is_resumed(f, &o->is))
            return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "%s is an input; it would be overwritten",
                             o->path);
    }
    return TSR_OK;
}

static enum tsr_status check_new(struct cli_call *call, const struct output *o) {
    const struct cli_common *common = call->args;
    if (!S_ISREG(o->mode) || common->force || call->files->replaces ||
        is_resumed(call->files, &o->is))
        return TSR_OK;
    return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "%s exists: %sreplace it with --force", o->path,
                     cli_table_find(call->table, "resume", 0) && !call->files->resumes
                         ? "resume it with --resume, or "
                         : "");
}

/* In a folder like /tmp only the owner of a file can replace it: that shows at the end else. */
static enum tsr_status check_sticky(struct cli_call *call, const struct output *o) {
    struct stat folder, file;
    if (!S_ISREG(o->mode) || geteuid() == 0) return TSR_OK;
    if (stat(o->folder, &folder) != 0 || stat(o->target, &file) != 0) return TSR_OK;
    if (!(folder.st_mode & S_ISVTX) || folder.st_uid == geteuid() || file.st_uid == geteuid())
        return TSR_OK;
    return TSR_ERROR(&call->err, TSR_ERR_IO,
                     "%s: belongs to another user, in a folder where only that one can replace it",
                     o->path);
}

/* Is asked of a folder once: outputs that are not there yet are sorted by it. */
static enum tsr_status check_place(struct cli_call *call, const struct output *o) {
    struct tsr_temp *temp;
    if (o->mode && !S_ISREG(o->mode)) {
        if (S_ISFIFO(o->mode) || S_ISCHR(o->mode)) return TSR_OK;
        return TSR_ERROR(&call->err, TSR_ERR_IO, "%s: exists and is not a regular file", o->path);
    }
    TSR_TRY(check_sticky(call, o));
    bool asked = o > call->files->outputs && !o[-1].mode && !o->mode &&
                 o[-1].is.device == o->is.device && o[-1].is.inode == o->is.inode;
    if (asked) return TSR_OK;
    TSR_TRY(tsr_temp_create(o->target, &temp, &call->err));
    tsr_temp_discard(temp);
    return TSR_OK;
}

static enum tsr_status check(struct cli_call *call) {
    struct cli_files *f = call->files;
    if (f->n_outputs == 0) return TSR_OK;
    qsort(f->outputs, f->n_outputs, sizeof *f->outputs, by_identity);
    TSR_TRY(check_apart(call));
    for (size_t i = 0; i < f->n_outputs; i++)
        TSR_TRY(check_new(call, &f->outputs[i]));
    for (size_t i = 0; i < f->n_outputs; i++)
        if (i < MOST_LOCKS && (!f->outputs[i].mode || S_ISREG(f->outputs[i].mode)))
            TSR_TRY(tsr_file_lock(f->outputs[i].path, &f->outputs[i].lock, &call->err));
    cli_signals_catch();
    for (size_t i = 0; i < f->n_outputs; i++)
        TSR_TRY(check_place(call, &f->outputs[i]));
    return TSR_OK;
}

enum tsr_status cli_files_take(struct cli_call *call) {
    call->files = calloc(1, sizeof *call->files);
    if (!call->files) return no_memory(call);
    call->phase = CLI_RUNNING; /* an I/O error here is one of an output */
    TSR_TRY(collect(call));
    if (call->command->files) TSR_TRY(call->command->files(call));
    if (call->comm->rank == 0) TSR_TRY(check(call)); /* and no other writes them */
    call->phase = CLI_READING;
    return TSR_OK;
}

void cli_files_release(struct cli_call *call) {
    struct cli_files *f = call->files;
    if (!f) return;
    for (size_t i = 0; i < f->n_outputs; i++) {
        tsr_file_unlock(f->outputs[i].lock);
        free(f->outputs[i].path);
        free(f->outputs[i].target);
        free(f->outputs[i].folder);
    }
    while (f->n_made > 0) {
        (void)rmdir(f->made[--f->n_made]); /* fails where something is in it */
        free(f->made[f->n_made]);
    }
    free(f->made);
    free(f->outputs);
    free(f->inputs);
    free(f);
    call->files = NULL;
}
