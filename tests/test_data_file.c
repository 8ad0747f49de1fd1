/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE
#include "test_data_helper.h"

#include <signal.h>
#include <sys/wait.h>

#include "data/file.h"

static struct tsr_error err;

static void reading(void **state) {
    (void)state;
    unsigned char *bytes;
    size_t size;
    assert_ok(tsr_file_read(write_text("a", "hello"), 5, &bytes, &size, &err), &err);
    assert_int_equal(size, 5);
    assert_string_equal((char *)bytes, "hello");
    free(bytes);
    assert_ok(tsr_file_read(write_text("b", ""), 0, &bytes, &size, &err), &err);
    assert_int_equal(size, 0);
    free(bytes);
    assert_fails(tsr_file_read(in_folder("a"), 4, &bytes, &size, &err), TSR_ERR_FORMAT, &err,
                 "a: has 5 bytes; at most 4 are read");
    assert_null(bytes);
    assert_fails(tsr_file_read(folder, 4, &bytes, &size, &err), TSR_ERR_FORMAT, &err,
                 "not a regular file");
    assert_fails(tsr_file_read(in_folder("c"), 4, &bytes, &size, &err), TSR_ERR_IO, &err,
                 "c: cannot be opened");
    /* A named pipe that nobody writes to must not be waited for. */
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_fails(tsr_file_read(in_folder("pipe"), 4, &bytes, &size, &err), TSR_ERR_FORMAT, &err,
                 "not a regular file");
}

static void assert_content(const char *path, const char *text) {
    size_t size;
    char *bytes = slurp(path, &size);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(bytes, text, size);
    free(bytes);
}

static void replacing(void **state) {
    (void)state;
    const char *path = write_text("a", "before");
    assert_ok(tsr_file_replace(path, "after", 5, &err), &err);
    assert_content(path, "after");
    assert_int_equal(files_in_folder(), 1);
    /* The longest name there can be leaves room for the temporary one. */
    char name[256];
    memset(name, 'x', 255);
    name[255] = 0;
    char longest[400];
    snprintf(longest, sizeof longest, "%s/%s", folder, name);
    assert_ok(tsr_file_replace(longest, "x", 1, &err), &err);
    assert_content(longest, "x");
    /* A file without a folder in its name. */
    char here[512];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    enum tsr_status status = tsr_file_replace("b", "b", 1, &err);
    assert_int_equal(chdir(here), 0);
    assert_ok(status, &err);
    assert_content(in_folder("b"), "b");
}

static void temporary_files(void **state) {
    (void)state;
    const char *path = in_folder("a");
    struct tsr_temp *one, *two;
    assert_ok(tsr_temp_create(path, &one, &err), &err);
    assert_ok(tsr_temp_create(path, &two, &err), &err);
    assert_string_not_equal(tsr_temp_path(one), tsr_temp_path(two));
    assert_int_equal(files_in_folder(), 2);
    write_file(tsr_temp_path(one), "1", 1);
    assert_ok(tsr_temp_commit(one, &err), &err);
    tsr_temp_discard(one);
    tsr_temp_discard(two);
    tsr_temp_discard(NULL);
    assert_content(path, "1");
    assert_int_equal(files_in_folder(), 1);
    assert_fails(tsr_temp_create(in_folder("no/a"), &one, &err), TSR_ERR_IO, &err,
                 "no/a: cannot create a file there");
    assert_null(one);
}

/* As an ordinary open() would: readable by whom the mask allows. */
static void permissions(void **state) {
    (void)state;
    struct stat info;
    mode_t old = umask(027);
    enum tsr_status status = tsr_file_replace(in_folder("a"), "a", 1, &err);
    umask(old);
    assert_ok(status, &err);
    assert_int_equal(stat(in_folder("a"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
}

/* ---- what is kept of a file that is replaced ------------------------------------------------- */

static void mode_is_kept(void **state) {
    (void)state;
    static const mode_t modes[] = {0600, 0640, 0444, 0755, 0666};
    const char *path = in_folder("a");
    struct stat info;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        write_file(path, "old", 3);
        assert_int_equal(chmod(path, modes[i]), 0);
        struct tsr_temp *temp;
        assert_ok(tsr_temp_create(path, &temp, &err), &err);
        assert_int_equal(stat(tsr_temp_path(temp), &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600); /* nobody else reads it while it grows */
        tsr_temp_discard(temp);
        assert_ok(tsr_file_replace(path, "new", 3, &err), &err);
        assert_content(path, "new");
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, modes[i]);
        assert_int_equal(unlink(path), 0);
    }
}

static void group_is_kept(void **state) {
    (void)state;
    const char *path = write_text("a", "old");
    struct stat info;
    gid_t groups[64];
    int n = getgroups(64, groups);
    gid_t other = getegid();
    for (int i = 0; i < n; i++)
        if (groups[i] != getegid()) other = groups[i];
    if (geteuid() == 0) other = 12345;
    if (other == getegid()) skip();
    assert_int_equal(chown(path, (uid_t)-1, other), 0);
    if (geteuid() == 0) assert_int_equal(chown(path, 54321, (gid_t)-1), 0);
    assert_ok(tsr_file_replace(path, "new", 3, &err), &err);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_gid, other);
    if (geteuid() == 0) assert_int_equal(info.st_uid, 54321);
}

/* ---- links ----------------------------------------------------------------------------------- */

static void assert_link(const char *path, const char *to) {
    char text[512];
    ssize_t n = readlink(path, text, sizeof text - 1);
    assert_true(n >= 0);
    text[n] = 0;
    assert_string_equal(text, to);
}

static void links_are_followed(void **state) {
    (void)state;
    make_folder("x");
    make_folder("y");
    write_text("y/real", "old");
    assert_int_equal(symlink("../y/real", in_folder("x/two")), 0);
    assert_int_equal(symlink("x/two", in_folder("one")), 0);
    assert_ok(tsr_file_replace(in_folder("one"), "new", 3, &err), &err);
    assert_content(in_folder("y/real"), "new");
    assert_link(in_folder("one"), "x/two");
    assert_link(in_folder("x/two"), "../y/real");
    /* One that leads to nothing yet, by an absolute path. */
    assert_int_equal(symlink(in_folder("y/later"), in_folder("dangling")), 0);
    assert_ok(tsr_file_replace(in_folder("dangling"), "late", 4, &err), &err);
    assert_content(in_folder("y/later"), "late");
    assert_link(in_folder("dangling"), in_folder("y/later"));
    assert_int_equal(symlink("loop", in_folder("pool")), 0);
    assert_int_equal(symlink("pool", in_folder("loop")), 0);
    assert_fails(tsr_file_replace(in_folder("loop"), "x", 1, &err), TSR_ERR_IO, &err, "loop: ");
    assert_int_equal(symlink("no/where", in_folder("lost")), 0);
    assert_fails(tsr_file_replace(in_folder("lost"), "x", 1, &err), TSR_ERR_IO, &err,
                 "cannot create a file there");
    assert_fails(tsr_file_replace(in_folder("x/"), "x", 1, &err), TSR_ERR_IO, &err,
                 "does not name a file");
    assert_fails(tsr_file_replace(in_folder("x"), "x", 1, &err), TSR_ERR_IO, &err,
                 "not a regular file");
}

/* ---- what others leave, and what they have --------------------------------------------------- */

/* A child that calls make() and then waits to be killed. */
static pid_t start_child(void (*make)(void)) {
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        make();
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void end_child(pid_t child) {
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void make_temps(void) {
    struct tsr_temp *temp;
    struct tsr_error ignored;
    if (tsr_temp_create(in_folder("a"), &temp, &ignored) != TSR_OK) _exit(1);
    if (tsr_temp_create(in_folder("a"), &temp, &ignored) != TSR_OK) _exit(1);
}

static void orphans_are_swept(void **state) {
    (void)state;
    pid_t child = start_child(make_temps);
    assert_int_equal(files_in_folder(), 2);
    /* Those of a living writer stay. */
    assert_ok(tsr_file_replace(in_folder("a"), "1", 1, &err), &err);
    assert_int_equal(files_in_folder(), 3);
    end_child(child);
    /* Another target is none of their business. */
    assert_ok(tsr_file_replace(in_folder("b"), "1", 1, &err), &err);
    assert_int_equal(files_in_folder(), 4);
    assert_ok(tsr_file_replace(in_folder("a"), "2", 1, &err), &err);
    assert_int_equal(files_in_folder(), 2);
    assert_content(in_folder("a"), "2");
}

static void abandon(void) {
    make_temps();
    tsr_temp_abandon();
}

static void handlers_remove_them(void **state) {
    (void)state;
    end_child(start_child(abandon));
    assert_int_equal(files_in_folder(), 0);
}

static void take_lock(void) {
    struct tsr_file_lock *lock;
    struct tsr_error ignored;
    if (tsr_file_lock(in_folder("a"), &lock, &ignored) != TSR_OK) _exit(1);
}

static void one_writer(void **state) {
    (void)state;
    struct tsr_file_lock *lock, *again;
    char said[64];
    pid_t child = start_child(take_lock);
    snprintf(said, sizeof said, "a is being written by process %ld", (long)child);
    assert_int_equal(symlink("a", in_folder("link")), 0);
    assert_fails(tsr_file_lock(in_folder("a"), &lock, &err), TSR_ERR_IO, &err, said);
    assert_null(lock);
    snprintf(said, sizeof said, "link is being written by process %ld", (long)child);
    assert_fails(tsr_file_lock(in_folder("link"), &lock, &err), TSR_ERR_IO, &err, said);
    /* Another name of the folder is free, and the name itself once its writer was killed. */
    assert_ok(tsr_file_lock(in_folder("b"), &lock, &err), &err);
    tsr_file_unlock(lock);
    end_child(child);
    assert_ok(tsr_file_lock(in_folder("a"), &lock, &err), &err);
    assert_ok(tsr_file_lock(in_folder("a"), &again, &err), &err);
    tsr_file_unlock(lock);
    tsr_file_unlock(again);
    tsr_file_unlock(NULL);
    assert_int_equal(files_in_folder(), 1); /* the link */
}

/* Of many that begin at once at most one has it. */
static void at_most_one_writer(void **state) {
    (void)state;
    enum { N = 8 };
    pid_t child[N];
    int holders = 0, go[2];
    assert_int_equal(pipe(go), 0);
    for (int i = 0; i < N; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            struct tsr_file_lock *lock;
            struct tsr_error ignored;
            char byte;
            close(go[1]);
            (void)!read(go[0], &byte, 1);
            if (tsr_file_lock(in_folder("a"), &lock, &ignored) != TSR_OK) _exit(1);
            usleep(300000);
            _exit(0);
        }
    }
    close(go[0]);
    close(go[1]);
    for (int i = 0; i < N; i++) {
        int how;
        assert_int_equal(waitpid(child[i], &how, 0), child[i]);
        assert_true(WIFEXITED(how));
        holders += WEXITSTATUS(how) == 0;
    }
    assert_true(holders <= 1);
}

/* ---- pipes and devices ----------------------------------------------------------------------- */

static void streams(void **state) {
    (void)state;
    int ends[2];
    char name[32], got[8];
    unsigned char *bytes;
    size_t size;
    assert_int_equal(pipe(ends), 0);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[1]);
    assert_ok(tsr_file_replace(name, "hello", 5, &err), &err);
    assert_int_equal(read(ends[0], got, sizeof got), 5);
    assert_memory_equal(got, "hello", 5);
    assert_int_equal(write(ends[1], "again", 5), 5);
    close(ends[1]);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    assert_ok(tsr_file_read(name, 5, &bytes, &size, &err), &err);
    assert_int_equal(size, 5);
    assert_string_equal((char *)bytes, "again");
    free(bytes);
    close(ends[0]);
    assert_fails(tsr_file_read("/dev/fd/999999", 5, &bytes, &size, &err), TSR_ERR_IO, &err,
                 "cannot be opened");
    assert_ok(tsr_file_replace("/dev/null", "x", 1, &err), &err);
    if (access("/dev/full", W_OK) == 0)
        assert_fails(tsr_file_replace("/dev/full", "x", 1, &err), TSR_ERR_IO, &err,
                     "/dev/full: cannot be written");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(reading),
        TEST(replacing),
        TEST(temporary_files),
        TEST(permissions),
        TEST(mode_is_kept),
        TEST(group_is_kept),
        TEST(links_are_followed),
        TEST(orphans_are_swept),
        TEST(handlers_remove_them),
        TEST(one_writer),
        TEST(at_most_one_writer),
        TEST(streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
