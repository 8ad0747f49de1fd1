/* SPDX-License-Identifier: MIT */
#include "test_data_helper.h"

#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "base/random.h"
#include "data/h5.h"

static struct tsr_error err;

static struct tsr_h5 *create(const char *path) {
    struct tsr_h5 *file;
    assert_ok(tsr_h5_create(path, &file, &err), &err);
    return file;
}

static struct tsr_h5 *reopen(struct tsr_h5 *file, const char *path) {
    assert_ok(tsr_h5_commit(file, &err), &err);
    tsr_h5_close(file);
    assert_ok(tsr_h5_open(path, &file, &err), &err);
    return file;
}

/* ---- round trips --------------------------------------------------------------------------- */

static void round_trip(enum tsr_h5_type type, const void *data, size_t size) {
    const size_t dims[3] = {2, 3, 2};
    for (int deflate = 0; deflate <= 9; deflate += 3) {
        unsigned char back[12 * 8] = {0};
        const char *path = in_folder("a.h5");
        struct tsr_h5 *file = create(path);
        assert_ok(tsr_h5_write(file, "/a/b/c", type, 3, dims, data, deflate, &err), &err);
        file = reopen(file, path);

        size_t rank, found[TSR_H5_MAX_RANK];
        enum tsr_h5_type stored;
        assert_ok(tsr_h5_shape(file, "/a/b/c", &rank, found, &stored, &err), &err);
        assert_int_equal(rank, 3);
        assert_memory_equal(found, dims, sizeof dims);
        assert_int_equal(stored, type);
        assert_ok(tsr_h5_read(file, "/a/b/c", type, 3, dims, back, &err), &err);
        assert_memory_equal(back, data, 12 * size);
        memset(back, 0, sizeof back);
        assert_ok(tsr_h5_read_item(file, "/a/b/c", type, 3, dims, 1, back, &err), &err);
        assert_memory_equal(back, (const char *)data + 6 * size, 6 * size);
        tsr_h5_close(file);
    }
}

static void every_type_round_trips(void **state) {
    (void)state;
    const uint8_t u8[12] = {0, 1, 255, 7};
    const uint16_t u16[12] = {0, 1, 65535, 7};
    const uint32_t u32[12] = {0, 1, UINT32_MAX, 7};
    const int64_t i64[12] = {0, -1, INT64_MIN, INT64_MAX};
    const uint64_t u64[12] = {0, 1, UINT64_MAX, 7};
    const float f32[12] = {0, -1.5f, INFINITY, NAN, 1e-45f};
    const double f64[12] = {0, -1.5, INFINITY, NAN, 1e-320};
    round_trip(TSR_H5_U8, u8, sizeof *u8);
    round_trip(TSR_H5_U16, u16, sizeof *u16);
    round_trip(TSR_H5_U32, u32, sizeof *u32);
    round_trip(TSR_H5_I64, i64, sizeof *i64);
    round_trip(TSR_H5_U64, u64, sizeof *u64);
    round_trip(TSR_H5_F32, f32, sizeof *f32);
    round_trip(TSR_H5_F64, f64, sizeof *f64);
}

static void scalars_vectors_and_nothing(void **state) {
    (void)state;
    const char *path = in_folder("a.h5");
    const double pi = 3.25, vector[3] = {1, 2, 3};
    const size_t three = 3, none[2] = {0, 4};
    double back[3];
    struct tsr_h5 *file = create(path);
    assert_ok(tsr_h5_write(file, "/scalar", TSR_H5_F64, 0, NULL, &pi, 5, &err), &err);
    assert_ok(tsr_h5_write(file, "/vector", TSR_H5_F64, 1, &three, vector, 5, &err), &err);
    assert_ok(tsr_h5_write(file, "/none", TSR_H5_F64, 2, none, vector, 5, &err), &err);
    file = reopen(file, path);
    assert_ok(tsr_h5_read(file, "/scalar", TSR_H5_F64, 0, NULL, back, &err), &err);
    assert_true(back[0] == pi);
    assert_ok(tsr_h5_read(file, "/vector", TSR_H5_F64, 1, &three, back, &err), &err);
    assert_memory_equal(back, vector, sizeof back);
    assert_ok(tsr_h5_read(file, "/none", TSR_H5_F64, 2, none, back, &err), &err);
    tsr_h5_close(file);
}

static void growing(void **state) {
    (void)state;
    const char *path = in_folder("a.h5");
    uint16_t items[20][2], back[20][2];
    const size_t dims[2] = {20, 2}, one = 20;
    for (uint16_t i = 0; i < 20; i++)
        items[i][0] = i, items[i][1] = (uint16_t)(1000 * i);
    struct tsr_h5 *file = create(path);
    assert_ok(tsr_h5_create_growing(file, "/g/x", TSR_H5_U16, 2, dims, 4, &err), &err);
    assert_ok(tsr_h5_create_growing(file, "/g/y", TSR_H5_U16, 1, dims, 0, &err), &err);
    for (size_t i = 0; i < 20; i += 4) {
        assert_ok(tsr_h5_append(file, "/g/x", TSR_H5_U16, 1, items[i], &err), &err);
        assert_ok(tsr_h5_append(file, "/g/x", TSR_H5_U16, 3, items[i + 1], &err), &err);
        assert_ok(tsr_h5_append(file, "/g/y", TSR_H5_U16, 4, items[i], &err), &err);
        assert_ok(tsr_h5_append(file, "/g/y", TSR_H5_U16, 0, NULL, &err), &err);
    }
    file = reopen(file, path);
    assert_ok(tsr_h5_read(file, "/g/x", TSR_H5_U16, 2, dims, back, &err), &err);
    assert_memory_equal(back, items, sizeof items);
    assert_ok(tsr_h5_read(file, "/g/y", TSR_H5_U16, 1, &one, back, &err), &err);
    for (size_t i = 0; i < 20; i += 4)
        assert_memory_equal((uint16_t *)back + i, items[i], 8);
    tsr_h5_close(file);
}

/* The bytes of chunk `item`, as they lie in the file; -1: it was stored without a filter. */
static long long raw_chunk(const char *path, size_t item, unsigned char *out, size_t room) {
    uint32_t unfiltered = 0;
    hsize_t at[3] = {item}, size = 0;
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, "/x", H5P_DEFAULT);
    assert_true(dataset >= 0);
    assert_true(H5Dget_chunk_storage_size(dataset, at, &size) >= 0 && size <= room);
    assert_true(H5Dread_chunk(dataset, H5P_DEFAULT, at, &unfiltered, out) >= 0);
    assert_true(H5Dclose(dataset) >= 0 && H5Fclose(file) >= 0);
    return unfiltered ? -1 : (long long)size;
}

/* An item that is filtered here is, byte for byte, what HDF5 makes of its values. */
static void items_are_those_of_hdf5(void **state) {
    (void)state;
    enum { N = 7, H = 37, W = 19 };
    static uint16_t values[2][H * W];
    static unsigned char narrow[H * W], raw[2][8 * H * W];
    const size_t dims[3] = {N, H, W};
    struct tsr_h5_item item = {0};
    for (int round = 0; round < 8; round++) {
        enum tsr_h5_type type = round % 2 ? TSR_H5_U16 : TSR_H5_U8;
        int deflate = (const int[]){0, 1, 6, 9}[round / 2];
        const char *paths[2] = {in_folder("hdf5.h5"), in_folder("ours.h5")};
        struct tsr_h5 *files[2];
        for (int f = 0; f < 2; f++) {
            files[f] = create(paths[f]);
            assert_ok(tsr_h5_create_growing(files[f], "/x", type, 3, dims, deflate, &err), &err);
        }
        for (size_t n = 0; n < N; n++) {
            /* From noise, which deflates to more than it is, to one value. */
            for (size_t i = 0; i < H * W; i++) {
                uint64_t random = tsr_random_u64(n, TSR_STREAM_RUN, i) >> 9 * n;
                values[0][i] = (uint16_t)(type == TSR_H5_U8 ? random & 255 : random);
                narrow[i] = (unsigned char)values[0][i];
            }
            const void *given = type == TSR_H5_U8 ? (const void *)narrow : values[0];
            assert_ok(tsr_h5_append(files[0], "/x", type, 1, given, &err), &err);
            assert_ok(tsr_h5_item_make(type, deflate, H * W, given, &item, &err), &err);
            assert_ok(tsr_h5_append_item(files[1], "/x", &item, &err), &err);
        }
        for (int f = 0; f < 2; f++)
            files[f] = reopen(files[f], paths[f]);
        for (size_t n = 0; n < N; n++) {
            long long sizes[2];
            for (int f = 0; f < 2; f++) {
                assert_ok(tsr_h5_read_item(files[f], "/x", TSR_H5_U16, 3, dims, n, values[f], &err),
                          &err);
                sizes[f] = raw_chunk(paths[f], n, raw[f], sizeof raw[f]);
            }
            assert_memory_equal(values[0], values[1], sizeof values[0]);
            assert_true(sizes[1] > 0 && sizes[0] == sizes[1]);
            assert_memory_equal(raw[0], raw[1], (size_t)sizes[0]);
        }
        for (int f = 0; f < 2; f++)
            tsr_h5_close(files[f]);
    }
    tsr_h5_item_clear(&item);
}

static void strings(void **state) {
    (void)state;
    enum { N = 3000 };
    static char text[N][24];
    static const char *list[N];
    const char *path = in_folder("a.h5");
    for (int i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "n%d/\xc3\xa9#%d", i / 7, i);
        list[i] = i == 5 ? "" : text[i];
    }
    struct tsr_h5 *file = create(path);
    assert_ok(tsr_h5_write_strings(file, "/names", N, list, &err), &err);
    assert_ok(tsr_h5_write_strings(file, "/none", 0, list, &err), &err);
    file = reopen(file, path);
    size_t n;
    char **back;
    assert_ok(tsr_h5_read_strings(file, "/names", &n, &back, &err), &err);
    assert_int_equal(n, N);
    for (int i = 0; i < N; i++)
        assert_string_equal(back[i], list[i]);
    free(back);
    assert_ok(tsr_h5_read_strings(file, "/none", &n, &back, &err), &err);
    assert_int_equal(n, 0);
    free(back);
    assert_fails(tsr_h5_read_strings(file, "/gone", &n, &back, &err), TSR_ERR_FORMAT, &err,
                 "a.h5: /gone is missing");
    assert_null(back);
    tsr_h5_close(file);
}

static void attributes(void **state) {
    (void)state;
    const char *path = in_folder("a.h5");
    int64_t i = 0;
    double f = 0;
    char s[8];
    struct tsr_h5 *file = create(path);
    assert_ok(tsr_h5_write_attr_i64(file, "/", "min", INT64_MIN, &err), &err);
    assert_ok(tsr_h5_write_attr_str(file, "/net/deep", "kind", "replaced", &err), &err);
    assert_ok(tsr_h5_write_attr_str(file, "/net/deep", "kind", "siren", &err), &err);
    assert_ok(tsr_h5_write_attr_f64(file, "/net", "omega", 30.5, &err), &err);
    assert_ok(tsr_h5_write_attr_f64(file, "/net", "width", 64, &err), &err);
    assert_ok(tsr_h5_write_attr_f64(file, "/net", "nan", NAN, &err), &err);
    assert_ok(tsr_h5_write_attr_str(file, "/net", "empty", "", &err), &err);
    file = reopen(file, path);
    assert_true(tsr_h5_has_attr(file, "/net/deep", "kind"));
    assert_false(tsr_h5_has_attr(file, "/net/deep", "kinds"));
    assert_false(tsr_h5_has_attr(file, "/no/where", "kind"));
    assert_ok(tsr_h5_read_attr_i64(file, "/", "min", &i, &err), &err);
    assert_true(i == INT64_MIN);
    assert_ok(tsr_h5_read_attr_f64(file, "/net", "omega", &f, &err), &err);
    assert_true(f == 30.5);
    assert_ok(tsr_h5_read_attr_i64(file, "/net", "width", &i, &err), &err);
    assert_int_equal(i, 64);
    assert_ok(tsr_h5_read_attr_str(file, "/net/deep", "kind", s, 6, &err), &err);
    assert_string_equal(s, "siren");
    assert_ok(tsr_h5_read_attr_str(file, "/net", "empty", s, 1, &err), &err);
    assert_string_equal(s, "");

    assert_fails(tsr_h5_read_attr_str(file, "/net/deep", "kind", s, 5, &err), TSR_ERR_FORMAT, &err,
                 "/net/deep@kind has 5 characters");
    assert_fails(tsr_h5_read_attr_i64(file, "/net", "omega", &i, &err), TSR_ERR_FORMAT, &err,
                 "/net@omega is 30.5; expected an integer");
    assert_fails(tsr_h5_read_attr_i64(file, "/net", "nan", &i, &err), TSR_ERR_FORMAT, &err,
                 "expected an integer");
    assert_fails(tsr_h5_read_attr_i64(file, "/net/deep", "kind", &i, &err), TSR_ERR_FORMAT, &err,
                 "is not an integer or float");
    assert_fails(tsr_h5_read_attr_str(file, "/net", "omega", s, 8, &err), TSR_ERR_FORMAT, &err,
                 "is not a string");
    assert_fails(tsr_h5_read_attr_f64(file, "/net", "gone", &f, &err), TSR_ERR_FORMAT, &err,
                 "/net@gone is missing");
    tsr_h5_close(file);
}

static void existence(void **state) {
    (void)state;
    const char *path = in_folder("a.h5");
    const uint8_t x = 1;
    struct tsr_h5 *file = create(path);
    assert_ok(tsr_h5_write(file, "/a/b/c", TSR_H5_U8, 0, NULL, &x, 0, &err), &err);
    file = reopen(file, path);
    assert_string_equal(tsr_h5_path(file), path);
    assert_true(tsr_h5_exists(file, "/"));
    assert_true(tsr_h5_exists(file, "/a"));
    assert_true(tsr_h5_exists(file, "/a/b/c"));
    assert_false(tsr_h5_exists(file, "/a/b/d"));
    assert_false(tsr_h5_exists(file, "/x/y/z"));
    assert_false(tsr_h5_exists(file, "/a/b/c/d"));
    assert_false(tsr_h5_exists(file, ""));
    tsr_h5_close(file);
}

/* ---- what others write --------------------------------------------------------------------- */

static void put(hid_t file, const char *name, hid_t stored, hid_t given, const void *data) {
    const hsize_t two = 2;
    hid_t space = H5Screate_simple(1, &two, NULL);
    hid_t dataset = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(dataset >= 0);
    assert_true(H5Dwrite(dataset, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
}

static hid_t fixed_string(size_t size, H5T_str_t padding) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_strpad(type, padding);
    return type;
}

static void put_attr(hid_t file, const char *name, hid_t type, hsize_t n, const void *data) {
    hid_t space = n ? H5Screate_simple(1, &n, NULL) : H5Screate(H5S_NULL);
    hid_t attr = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attr >= 0);
    if (n) assert_true(H5Awrite(attr, type, data) >= 0);
    H5Aclose(attr);
    H5Sclose(space);
}

static const char *foreign_file(void) {
    const char *path = in_folder("foreign.h5");
    const int numbers[2] = {-1, 300};
    const double wide[2] = {1e300, 1}, inf[2] = {-INFINITY, 0.1};
    const uint64_t large = UINT64_MAX;
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t padded = fixed_string(4, H5T_STR_NULLPAD), spaces = fixed_string(5, H5T_STR_SPACEPAD);
    hid_t complex = H5Tcreate(H5T_COMPOUND, 8);
    put(file, "big", H5T_STD_I16BE, H5T_NATIVE_INT, numbers);
    put(file, "wide", H5T_IEEE_F64BE, H5T_NATIVE_DOUBLE, wide);
    put(file, "inf", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, inf);
    put(file, "padded", padded, padded, "abcdxy\0\0");
    put(file, "spaces", spaces, spaces, "one  two  ");
    H5Tinsert(complex, "r", 0, H5T_NATIVE_FLOAT);
    H5Tinsert(complex, "i", 4, H5T_NATIVE_FLOAT);
    put(file, "complex", complex, complex, "0123456789abcdef");
    put_attr(file, "large", H5T_NATIVE_UINT64, 1, &large);
    put_attr(file, "fixed", padded, 1, "full");
    put_attr(file, "two", H5T_NATIVE_INT, 2, numbers);
    put_attr(file, "null", H5T_NATIVE_INT, 0, NULL);
    H5Tclose(padded);
    H5Tclose(spaces);
    H5Tclose(complex);
    assert_true(H5Fclose(file) >= 0);
    return path;
}

static void foreign_numbers(void **state) {
    (void)state;
    const size_t two = 2;
    struct tsr_h5 *file;
    int64_t i64[2];
    uint8_t u8[2];
    float f32[2];
    size_t rank, dims[TSR_H5_MAX_RANK];
    enum tsr_h5_type type;
    assert_ok(tsr_h5_open(foreign_file(), &file, &err), &err);
    assert_ok(tsr_h5_shape(file, "/big", &rank, dims, &type, &err), &err);
    assert_int_equal(type, TSR_H5_I64);
    assert_ok(tsr_h5_read(file, "/big", TSR_H5_I64, 1, &two, i64, &err), &err);
    assert_true(i64[0] == -1 && i64[1] == 300);
    assert_ok(tsr_h5_read(file, "/big", TSR_H5_F32, 1, &two, f32, &err), &err);
    assert_true(f32[0] == -1 && f32[1] == 300);
    /* HDF5 by itself would read 0 and 255. */
    assert_fails(tsr_h5_read(file, "/big", TSR_H5_U8, 1, &two, u8, &err), TSR_ERR_FORMAT, &err,
                 "/big cannot be read as uint8");
    assert_fails(tsr_h5_read(file, "/wide", TSR_H5_F32, 1, &two, f32, &err), TSR_ERR_FORMAT, &err,
                 "/wide cannot be read as float32");
    assert_ok(tsr_h5_read(file, "/inf", TSR_H5_F32, 1, &two, f32, &err), &err);
    assert_true(f32[0] == -INFINITY && f32[1] == 0.1f);
    assert_fails(tsr_h5_read(file, "/wide", TSR_H5_I64, 1, &two, i64, &err), TSR_ERR_FORMAT, &err,
                 "holds floats; expected integers");
    assert_fails(tsr_h5_shape(file, "/complex", &rank, dims, &type, &err), TSR_ERR_FORMAT, &err,
                 "/complex holds compounds");
    assert_fails(tsr_h5_shape(file, "/padded", &rank, dims, NULL, &err), TSR_ERR_FORMAT, &err,
                 "/padded holds strings");
    tsr_h5_close(file);
}

static void foreign_strings_and_attributes(void **state) {
    (void)state;
    struct tsr_h5 *file;
    char **list, text[5];
    size_t n;
    int64_t i;
    double f;
    assert_ok(tsr_h5_open(foreign_file(), &file, &err), &err);
    assert_ok(tsr_h5_read_strings(file, "/padded", &n, &list, &err), &err);
    assert_int_equal(n, 2);
    assert_string_equal(list[0], "abcd");
    assert_string_equal(list[1], "xy");
    free(list);
    assert_ok(tsr_h5_read_strings(file, "/spaces", &n, &list, &err), &err);
    assert_string_equal(list[0], "one");
    assert_string_equal(list[1], "two");
    free(list);
    assert_fails(tsr_h5_read_strings(file, "/big", &n, &list, &err), TSR_ERR_FORMAT, &err,
                 "does not hold strings");
    assert_ok(tsr_h5_read_attr_str(file, "/", "fixed", text, sizeof text, &err), &err);
    assert_string_equal(text, "full");
    assert_fails(tsr_h5_read_attr_i64(file, "/", "large", &i, &err), TSR_ERR_FORMAT, &err,
                 "18446744073709551615");
    assert_ok(tsr_h5_read_attr_f64(file, "/", "large", &f, &err), &err);
    assert_true(f == 0x1p64);
    assert_fails(tsr_h5_read_attr_i64(file, "/", "two", &i, &err), TSR_ERR_FORMAT, &err,
                 "has 2 values");
    assert_fails(tsr_h5_read_attr_i64(file, "/", "null", &i, &err), TSR_ERR_FORMAT, &err,
                 "has 0 values");
    tsr_h5_close(file);
}

/* ---- refusals ------------------------------------------------------------------------------ */

static void wrong_shapes(void **state) {
    (void)state;
    const char *path = in_folder("a.h5");
    const uint8_t data[6] = {0};
    const size_t dims[2] = {2, 3}, other[3] = {2, 4, 1};
    uint8_t back[8];
    struct tsr_h5 *file = create(path);
    assert_ok(tsr_h5_write(file, "/g/x", TSR_H5_U8, 2, dims, data, 0, &err), &err);
    file = reopen(file, path);
    assert_fails(tsr_h5_read(file, "/g/x", TSR_H5_U8, 2, other, back, &err), TSR_ERR_FORMAT, &err,
                 "a.h5: /g/x has shape [2,3]; expected [2,4]");
    assert_fails(tsr_h5_read(file, "/g/x", TSR_H5_U8, 3, other, back, &err), TSR_ERR_FORMAT, &err,
                 "has shape [2,3]; expected [2,4,1]");
    assert_fails(tsr_h5_read_item(file, "/g/x", TSR_H5_U8, 2, dims, 2, back, &err),
                 TSR_ERR_ARGUMENT, &err, "has 2 items; there is no 2");
    assert_fails(tsr_h5_read(file, "/g/y", TSR_H5_U8, 2, dims, back, &err), TSR_ERR_FORMAT, &err,
                 "/g/y is missing");
    assert_fails(tsr_h5_read(file, "/g", TSR_H5_U8, 2, dims, back, &err), TSR_ERR_FORMAT, &err,
                 "/g cannot be opened as a dataset (HDF5: ");
    assert_fails(tsr_h5_write(file, "/z", TSR_H5_U8, 2, dims, data, 0, &err), TSR_ERR_ARGUMENT,
                 &err, "open for reading");
    assert_fails(tsr_h5_write_attr_i64(file, "/", "z", 1, &err), TSR_ERR_ARGUMENT, &err,
                 "open for reading");
    tsr_h5_close(file);
}

static void wrong_writes(void **state) {
    (void)state;
    const char *path = in_folder("a.h5");
    const uint8_t data[6] = {0};
    const size_t dims[2] = {2, 3}, huge[2] = {SIZE_MAX / 2, 9}, item[2] = {1, (size_t)1 << 33};
    struct tsr_h5 *file = create(path);
    assert_ok(tsr_h5_write(file, "/x", TSR_H5_U8, 2, dims, data, 0, &err), &err);
    assert_fails(tsr_h5_write(file, "/x", TSR_H5_U8, 2, dims, data, 0, &err), TSR_ERR_IO, &err,
                 "/x cannot be created");
    assert_fails(tsr_h5_write(file, "/y", TSR_H5_U8, 2, dims, data, 10, &err), TSR_ERR_ARGUMENT,
                 &err, "deflate is 10");
    assert_fails(tsr_h5_write(file, "/y", TSR_H5_U8, 9, dims, data, 0, &err), TSR_ERR_ARGUMENT,
                 &err, "rank 9");
    assert_fails(tsr_h5_write(file, "y", TSR_H5_U8, 2, dims, data, 0, &err), TSR_ERR_ARGUMENT, &err,
                 "names begin with /");
    assert_fails(tsr_h5_write(file, "/y", TSR_H5_U8, 2, huge, data, 0, &err), TSR_ERR_ARGUMENT,
                 &err, "too many elements");
    assert_fails(tsr_h5_create_growing(file, "/y", TSR_H5_U8, 2, item, 0, &err),
                 TSR_ERR_UNSUPPORTED, &err, "items of");
    assert_ok(tsr_h5_commit(file, &err), &err);
    assert_fails(tsr_h5_commit(file, &err), TSR_ERR_ARGUMENT, &err, "closed");
    assert_fails(tsr_h5_write(file, "/y", TSR_H5_U8, 2, dims, data, 0, &err), TSR_ERR_ARGUMENT,
                 &err, "closed");
    tsr_h5_close(file);
}

static void not_hdf5(void **state) {
    (void)state;
    struct tsr_h5 *file;
    assert_fails(tsr_h5_open(in_folder("gone.h5"), &file, &err), TSR_ERR_IO, &err,
                 "gone.h5: cannot be opened: No such file");
    assert_null(file);
    assert_fails(tsr_h5_open(write_text("a.h5", "hello, this is text"), &file, &err),
                 TSR_ERR_FORMAT, &err, "a.h5: is not an HDF5 file");
    assert_fails(tsr_h5_open(write_text("b.h5", ""), &file, &err), TSR_ERR_FORMAT, &err,
                 "b.h5: is empty");
    assert_fails(tsr_h5_open(folder, &file, &err), TSR_ERR_IO, &err, "cannot be read");
}

/* Every length that can be cut off, in steps: an error or, near the end, whole data. */
static void truncated(void **state) {
    (void)state;
    const char *path = in_folder("a.h5"), *cut = in_folder("cut.h5");
    uint8_t data[100], back[100];
    const size_t dims[1] = {100};
    const char *const names[2] = {"one", "two"};
    for (int i = 0; i < 100; i++)
        data[i] = (uint8_t)i;
    struct tsr_h5 *file = create(path);
    assert_ok(tsr_h5_write(file, "/x", TSR_H5_U8, 1, dims, data, 4, &err), &err);
    assert_ok(tsr_h5_write_strings(file, "/names", 2, names, &err), &err);
    assert_ok(tsr_h5_write_attr_str(file, "/", "format", "test", &err), &err);
    assert_ok(tsr_h5_commit(file, &err), &err);
    tsr_h5_close(file);
    size_t size, opened = 0;
    char *bytes = slurp(path, &size);
    for (size_t n = 0; n < size; n += n + 64 < size ? 37 : 1) {
        write_file(cut, bytes, n);
        memset(&err, 0, sizeof err);
        enum tsr_status status = tsr_h5_open(cut, &file, &err);
        opened += status == TSR_OK;
        if (status != TSR_OK) {
            assert_int_equal(status, TSR_ERR_FORMAT);
            assert_non_null(strstr(err.message, "cut.h5"));
            assert_null(file);
            continue;
        }
        if (tsr_h5_read(file, "/x", TSR_H5_U8, 1, dims, back, &err) == TSR_OK)
            assert_memory_equal(back, data, 100);
        tsr_h5_close(file);
    }
    assert_int_equal(opened, 0); /* HDF5 keeps the length of the file in its header */
    free(bytes);
}

static bool silent;
static herr_t count_message(unsigned n, const H5E_error2_t *error, void *data) {
    (void)n;
    (void)error;
    (void)data;
    return 0;
}
static herr_t print_nothing(hid_t stack, void *data) {
    silent = false;
    return H5Ewalk2(stack, H5E_WALK_UPWARD, count_message, data);
}

/* What the program has set for HDF5's own messages is not called, and is still set afterwards. */
static void error_printing_is_restored(void **state) {
    (void)state;
    H5E_auto2_t before, after;
    void *data, *mine = &silent;
    struct tsr_h5 *file;
    H5Eget_auto2(H5E_DEFAULT, &before, &data);
    H5Eset_auto2(H5E_DEFAULT, print_nothing, mine);
    silent = true;
    const char *path = foreign_file();
    assert_ok(tsr_h5_open(path, &file, &err), &err);
    assert_false(tsr_h5_exists(file, "/nothing/here"));
    size_t rank, dims[TSR_H5_MAX_RANK];
    assert_int_not_equal(tsr_h5_shape(file, "/", &rank, dims, NULL, &err), TSR_OK);
    assert_int_not_equal(tsr_h5_shape(file, "/complex", &rank, dims, NULL, NULL), TSR_OK);
    tsr_h5_close(file);
    assert_true(silent);
    H5Eget_auto2(H5E_DEFAULT, &after, &mine);
    assert_true(after == print_nothing && mine == &silent);
    H5Eset_auto2(H5E_DEFAULT, before, data);
}

/* ---- whole files or none ------------------------------------------------------------------- */

static void uncommitted_file_vanishes(void **state) {
    (void)state;
    const char *path = write_text("a.h5", "before");
    const uint8_t x = 1;
    struct tsr_h5 *file = create(path), *other = create(path);
    assert_int_equal(files_in_folder(), 3);
    assert_ok(tsr_h5_write(file, "/x", TSR_H5_U8, 0, NULL, &x, 0, &err), &err);
    tsr_h5_close(file);
    tsr_h5_close(other);
    tsr_h5_close(NULL);
    assert_int_equal(files_in_folder(), 1);
    size_t size;
    char *bytes = slurp(path, &size);
    assert_int_equal(size, 6);
    assert_memory_equal(bytes, "before", 6);
    free(bytes);

    file = reopen(create(path), path);
    tsr_h5_close(file);
    assert_int_equal(files_in_folder(), 1);
}

static void impossible_targets(void **state) {
    (void)state;
    struct tsr_h5 *file;
    assert_fails(tsr_h5_create(in_folder("no/such/a.h5"), &file, &err), TSR_ERR_IO, &err,
                 "no/such/a.h5: cannot create a file there: No such file");
    assert_fails(tsr_h5_create(make_folder("d"), &file, &err), TSR_ERR_IO, &err,
                 "not a regular file");
    assert_fails(tsr_h5_create("/dev/null", &file, &err), TSR_ERR_IO, &err, "not a regular file");
    assert_fails(tsr_h5_create("", &file, &err), TSR_ERR_IO, &err, "does not name a file");
    assert_null(file);
}

static enum tsr_status write_much(struct tsr_h5 *file, int deflate) {
    const size_t dims[2] = {0, 100000}, some[2] = {5, 100};
    const char *const names[2] = {"one", "two"};
    static uint8_t item[100000];
    for (size_t i = 0; i < sizeof item; i++)
        item[i] = (uint8_t)((uint32_t)i * 2654435761u >> 13); /* hardly compressible */
    TSR_TRY(tsr_h5_write(file, "/y", TSR_H5_U8, 2, some, item, deflate, &err));
    TSR_TRY(tsr_h5_create_growing(file, "/x", TSR_H5_U8, 2, dims, deflate, &err));
    for (int i = 0; i < 20; i++)
        TSR_TRY(tsr_h5_append(file, "/x", TSR_H5_U8, 1, item, &err));
    TSR_TRY(tsr_h5_write_strings(file, "/names", 2, names, &err));
    TSR_TRY(tsr_h5_write_attr_str(file, "/", "format", "test", &err));
    return tsr_h5_commit(file, &err);
}

/* A full disk, played by a limit on the size of files. That HDF5 survives shows in the end of the
 * program. */
static void full_disk(void **state) {
    (void)state;
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (size_t limit = 1; limit < 100000; limit = 2 * limit + 1)
        for (int deflate = 0; deflate < 3; deflate += 2) {
            struct tsr_h5 *file = create(in_folder("a.h5"));
            low = old;
            low.rlim_cur = limit;
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
            enum tsr_status status = write_much(file, deflate);
            tsr_h5_close(file);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
            assert_fails(status, TSR_ERR_IO, &err, "a.h5: cannot be written: File too large");
            assert_int_equal(files_in_folder(), 0);
        }
    signal(SIGXFSZ, handler);
}

/* The same data give the same bytes: nothing of the time or place of writing is stored. */
static void files_are_reproducible(void **state) {
    (void)state;
    const char *paths[2] = {in_folder("a.h5"), in_folder("b.h5")};
    const char *const names[2] = {"one", "two"};
    const size_t dims[2] = {2, 3};
    const uint8_t data[6] = {1, 2, 3, 4, 5, 6};
    size_t size[2];
    void *bytes[2];
    for (int i = 0; i < 2; i++) {
        struct tsr_h5 *file = create(paths[i]);
        assert_ok(tsr_h5_write(file, "/g/x", TSR_H5_U8, 2, dims, data, 6, &err), &err);
        assert_ok(tsr_h5_write_strings(file, "/names", 2, names, &err), &err);
        assert_ok(tsr_h5_write_attr_str(file, "/g", "kind", "siren", &err), &err);
        assert_ok(tsr_h5_commit(file, &err), &err);
        tsr_h5_close(file);
        bytes[i] = slurp(paths[i], &size[i]);
        if (i == 0) sleep(1);
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    free(bytes[0]);
    free(bytes[1]);
}

/* The two datasets used last stay open: any order of use gives the same. */
static void datasets_in_turn(void **state) {
    (void)state;
    const size_t dims[2] = {0, 3};
    const char *const names[3] = {"/a", "/b", "/g/c"};
    struct tsr_h5 *file = create(in_folder("a.h5"));
    for (size_t k = 0; k < 3; k++)
        assert_ok(tsr_h5_create_growing(file, names[k], TSR_H5_U8, 2, dims, 0, &err), &err);
    for (uint8_t i = 0; i < 60; i++) {
        const uint8_t item[3] = {i, (uint8_t)(i + 1), (uint8_t)(2 * i)};
        assert_ok(tsr_h5_append(file, names[i * 7 % 5 % 3], TSR_H5_U8, 1, item, &err), &err);
    }
    assert_ok(tsr_h5_commit(file, &err), &err);
    tsr_h5_close(file);
    assert_ok(tsr_h5_open(in_folder("a.h5"), &file, &err), &err);
    size_t next[3] = {0};
    for (uint8_t i = 0; i < 60; i++) {
        size_t k = i * 7 % 5 % 3, rank, found[TSR_H5_MAX_RANK];
        uint8_t item[3];
        assert_ok(tsr_h5_shape(file, names[k], &rank, found, NULL, &err), &err);
        assert_ok(tsr_h5_read_item(file, names[k], TSR_H5_U8, rank, found, next[k]++, item, &err),
                  &err);
        assert_true(item[0] == i && item[1] == i + 1 && item[2] == (uint8_t)(2 * i));
    }
    tsr_h5_close(file);
}

static void attributes_of_strings(void **state) {
    (void)state;
    enum { MANY = TSR_H5_MAX_ATTR_STRINGS };
    static const char *list[MANY + 1];
    const uint8_t x = 0;
    size_t n;
    char **back;
    for (size_t i = 0; i <= MANY; i++)
        list[i] = i % 3 ? "some words" : "";
    struct tsr_h5 *file = create(in_folder("a.h5"));
    assert_ok(tsr_h5_write(file, "/x", TSR_H5_U8, 0, NULL, &x, 0, &err), &err);
    assert_ok(tsr_h5_write_attr_strings(file, "/x", "names", 5, list, &err), &err);
    assert_ok(tsr_h5_write_attr_strings(file, "/x", "names", MANY, list, &err), &err);
    assert_ok(tsr_h5_write_attr_str(file, "/x", "one", "single", &err), &err);
    assert_ok(tsr_h5_write_attr_i64(file, "/x", "number", 3, &err), &err);
    assert_fails(tsr_h5_write_attr_strings(file, "/x", "much", MANY + 1, list, &err),
                 TSR_ERR_UNSUPPORTED, &err, "/x@much has 4001 strings");
    assert_fails(tsr_h5_write_attr_strings(file, "/x", "none", 0, list, &err), TSR_ERR_UNSUPPORTED,
                 &err, "has 0 strings");
    assert_ok(tsr_h5_commit(file, &err), &err);
    tsr_h5_close(file);
    assert_ok(tsr_h5_open(in_folder("a.h5"), &file, &err), &err);
    assert_ok(tsr_h5_read_attr_strings(file, "/x", "names", &n, &back, &err), &err);
    assert_int_equal(n, MANY);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(back[i], list[i]);
    free(back);
    assert_ok(tsr_h5_read_attr_strings(file, "/x", "one", &n, &back, &err), &err);
    assert_true(n == 1 && strcmp(back[0], "single") == 0);
    free(back);
    assert_fails(tsr_h5_read_attr_strings(file, "/x", "number", &n, &back, &err), TSR_ERR_FORMAT,
                 &err, "/x@number is not an array of 1 to 65536 strings");
    assert_null(back);
    assert_fails(tsr_h5_read_attr_strings(file, "/x", "gone", &n, &back, &err), TSR_ERR_FORMAT,
                 &err, "/x@gone is missing");
    tsr_h5_close(file);
}

/* What another program has open for writing is not read, and more readers than one are welcome. */
static void locked_by_another(void **state) {
    (void)state;
    const char *path = in_folder("a.h5");
    struct tsr_h5 *file = reopen(create(path), path), *second;
    assert_ok(tsr_h5_open(path, &second, &err), &err);
    tsr_h5_close(second);
    tsr_h5_close(file);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    assert_fails(tsr_h5_open(path, &file, &err), TSR_ERR_IO, &err,
                 "is locked: another program has it open for writing");
    assert_int_equal(close(fd), 0);
    assert_ok(tsr_h5_open(path, &file, &err), &err);
    tsr_h5_close(file);
}

/* The content of an HDF5 file may begin behind a block of the user's. */
static void behind_a_user_block(void **state) {
    (void)state;
    const char *path = in_folder("a.h5");
    hid_t properties = H5Pcreate(H5P_FILE_CREATE);
    assert_true(H5Pset_userblock(properties, 2048) >= 0);
    hid_t id = H5Fcreate(path, H5F_ACC_TRUNC, properties, H5P_DEFAULT);
    assert_true(id >= 0 && H5Fclose(id) >= 0 && H5Pclose(properties) >= 0);
    struct tsr_h5 *file;
    assert_ok(tsr_h5_open(path, &file, &err), &err);
    tsr_h5_close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_type_round_trips),
        TEST(locked_by_another),
        TEST(behind_a_user_block),
        TEST(scalars_vectors_and_nothing),
        TEST(growing),
        TEST(items_are_those_of_hdf5),
        TEST(strings),
        TEST(attributes),
        TEST(attributes_of_strings),
        TEST(datasets_in_turn),
        TEST(existence),
        TEST(foreign_numbers),
        TEST(foreign_strings_and_attributes),
        TEST(wrong_shapes),
        TEST(wrong_writes),
        TEST(not_hdf5),
        TEST(truncated),
        TEST(error_printing_is_restored),
        TEST(uncommitted_file_vanishes),
        TEST(impossible_targets),
        TEST(full_disk),
        TEST(files_are_reproducible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
