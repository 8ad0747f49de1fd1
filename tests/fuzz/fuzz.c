/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fuzz.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- files ----------------------------------------------------------------------------------- */

static char own_path[96];

static void remove_own(void) {
    if (*own_path) (void)unlink(own_path);
}

const char *fuzz_file_as(const void *data, size_t size, const char *ending) {
    static bool registered;
    if (!registered) registered = atexit(remove_own) == 0;
    remove_own();
    (void)snprintf(own_path, sizeof own_path, "%s/tessera-fuzz-%ld%.16s",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid(), ending);
    FILE *f = fopen(own_path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) abort();
    return own_path;
}

const char *fuzz_file(const void *data, size_t size) {
    return fuzz_file_as(data, size, "");
}

static const char *copy_of(const char *base) {
    static char bytes[1 << 20];
    FILE *f = fopen(base, "rb");
    if (!f) abort();
    size_t size = fread(bytes, 1, sizeof bytes, f);
    (void)fclose(f);
    return fuzz_file(bytes, size);
}

/* ---- programs of changes --------------------------------------------------------------------- */

struct program {
    const uint8_t *at, *end;
    hid_t file;
    unsigned dropped;
};

static unsigned take(struct program *p, unsigned below) {
    unsigned value = p->at < p->end ? *p->at++ : 0;
    return value % below;
}

/* Takes an object from its place. It stays in the file under another name: HDF5 1.10.8, which here
 * only makes what is to be read, frees sections of a file twice in the end where many objects went.
 */
static void drop(struct program *p, const char *path) {
    char name[32];
    (void)snprintf(name, sizeof name, "/gone-%u", p->dropped++);
    (void)H5Lmove(p->file, path, p->file, name, H5P_DEFAULT, H5P_DEFAULT);
}

#define PICK(p, list) (list)[take((p), sizeof(list) / sizeof *(list))]

static const char *const objects[] = {"/",
                                      "/images",
                                      "/split",
                                      "/names",
                                      "/labels",
                                      "/network",
                                      "/partition",
                                      "/inner",
                                      "/init",
                                      "/outer",
                                      "/regions",
                                      "/inner/rate",
                                      "/init/layer0/weight",
                                      "/init/layer0/bias",
                                      "/init/layer1/weight",
                                      "/init/layer2/bias",
                                      "/inner/layer0/weight_rate",
                                      "/inner/layer0/bias_rate",
                                      "/partition/anchors",
                                      "/partition/anchor_weights",
                                      "/partition/labels",
                                      "/regions/layer0/weight",
                                      "/regions/layer1/bias",
                                      "/outer/theta_m",
                                      "/outer/theta_v",
                                      "/outer/rates_m",
                                      "/outer/history",
                                      "/other"};
static const char *const attributes[] = {"format",
                                         "format_version",
                                         "kind",
                                         "in_dim",
                                         "out_dim",
                                         "width",
                                         "hidden_layers",
                                         "omega_first",
                                         "omega_hidden",
                                         "octaves",
                                         "pe_omega",
                                         "output_offset",
                                         "coord_lo",
                                         "coord_hi",
                                         "coord_sampling",
                                         "coord_frame",
                                         "rule",
                                         "rows",
                                         "cols",
                                         "cell_height",
                                         "cell_width",
                                         "n_regions",
                                         "merge",
                                         "overlap",
                                         "slots",
                                         "image_height",
                                         "image_width",
                                         "adapt",
                                         "steps",
                                         "rates",
                                         "loss",
                                         "start_rate",
                                         "method",
                                         "outer_step",
                                         "seconds",
                                         "batch",
                                         "seed",
                                         "columns",
                                         "label_names",
                                         "count",
                                         "region_fraction",
                                         "val_every",
                                         "command"};
static const char *const texts[] = {"",
                                    "tessera-model",
                                    "tessera-dataset",
                                    "tessera-inr",
                                    "siren",
                                    "relu-pe",
                                    "gaussian",
                                    "finer",
                                    "image",
                                    "region",
                                    "edge",
                                    "center",
                                    "endpoints",
                                    "whole",
                                    "grid",
                                    "cell",
                                    "quadtree",
                                    "segment",
                                    "labels",
                                    "shared",
                                    "per-region",
                                    "per-class",
                                    "fixed",
                                    "per-step",
                                    "per-layer-per-step",
                                    "per-param",
                                    "per-param-per-step",
                                    "all",
                                    "last",
                                    "biases",
                                    "latent",
                                    "maml",
                                    "fomaml",
                                    "reptile",
                                    "color",
                                    "area",
                                    "\xff\xfe",
                                    "segment 9 color",
                                    "%s%n"};
static const double numbers[] = {0,           1,
                                 2,           3,
                                 4,           8,
                                 16,          64,
                                 255,         256,
                                 1000,        65535,
                                 65536,       -1,
                                 0.5,         1e-30,
                                 1e30,        2147483647.,
                                 2147483648., 4294967295.,
                                 4294967296., 9007199254740992.,
                                 1e19,        -1e19};
static const hsize_t extents[] = {0,
                                  1,
                                  2,
                                  3,
                                  4,
                                  5,
                                  6,
                                  8,
                                  16,
                                  64,
                                  255,
                                  1024,
                                  65535,
                                  65536,
                                  1ull << 28,
                                  1ull << 31,
                                  4294967295ull,
                                  1ull << 33,
                                  1ull << 40,
                                  1ull << 61};

static hid_t type_of(struct program *p) {
    hid_t type;
    switch (take(p, 14)) {
    case 0:
        return H5Tcopy(H5T_STD_I64LE);
    case 1:
        return H5Tcopy(H5T_STD_U16BE);
    case 2:
        return H5Tcopy(H5T_STD_I8LE);
    case 3:
        return H5Tcopy(H5T_IEEE_F32LE);
    case 4:
        return H5Tcopy(H5T_IEEE_F64BE);
    case 5:
        return H5Tcopy(H5T_STD_B8LE);
    case 6:
        type = H5Tcopy(H5T_C_S1);
        (void)H5Tset_size(type, 1 + take(p, 40));
        (void)H5Tset_strpad(type, (H5T_str_t)take(p, 3));
        return type;
    case 7:
        type = H5Tcopy(H5T_C_S1);
        (void)H5Tset_size(type, (size_t)1 << take(p, 24));
        return type;
    case 8:
        return H5Tvlen_create(H5T_STD_U8LE);
    case 9:
        type = H5Tcreate(H5T_COMPOUND, 4);
        (void)H5Tinsert(type, "a", 0, H5T_STD_I32LE);
        return type;
    case 10:
        return H5Tenum_create(H5T_STD_I8LE);
    case 11:
        return H5Tarray_create2(H5T_STD_U8LE, 1, &(hsize_t){3});
    case 12:
        return H5Tcopy(H5T_STD_REF_OBJ);
    default:
        return H5Tcopy(H5T_STD_U8LE);
    }
}

static hid_t space_of(struct program *p, unsigned *rank, hsize_t dims[5]) {
    *rank = take(p, 6);
    for (unsigned i = 0; i < *rank && i < 5; i++)
        dims[i] = PICK(p, extents);
    if (*rank == 5) {
        *rank = 0;
        return H5Screate(H5S_NULL);
    }
    return *rank ? H5Screate_simple((int)*rank, dims, NULL) : H5Screate(H5S_SCALAR);
}

static hid_t layout_of(struct program *p, unsigned rank) {
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[5];
    unsigned layout = take(p, 8), filters = take(p, 64);
    if (layout == 0) (void)H5Pset_layout(properties, H5D_COMPACT);
    if (layout == 1) (void)H5Pset_external(properties, "/dev/null", 0, H5F_UNLIMITED);
    if (layout < 4 || rank == 0) return properties;
    for (unsigned i = 0; i < rank; i++)
        chunk[i] = PICK(p, extents);
    (void)H5Pset_chunk(properties, (int)rank, chunk);
    if (filters & 1) (void)H5Pset_shuffle(properties);
    if (filters & 2) (void)H5Pset_deflate(properties, 1);
    if (filters & 4) (void)H5Pset_fletcher32(properties);
    if (filters & 8) (void)H5Pset_scaleoffset(properties, H5Z_SO_INT, 0);
    if (filters & 16) (void)H5Pset_nbit(properties);
    if (filters & 32) (void)H5Pset_deflate(properties, 2);
    return properties;
}

/* What an array claims costs nothing; HDF5 takes memory for a whole attribute, or a whole chunk, of
 * which something is written. Its filter nbit writes beyond that, and scaleoffset behind another
 * filter reads beyond what that left. */
#define WRITTEN_AT_MOST 0x1p24

static double bytes_of(hid_t type, unsigned rank, const hsize_t *extents_of) {
    double bytes = (double)H5Tget_size(type);
    for (unsigned i = 0; i < rank; i++)
        bytes *= (double)extents_of[i];
    return bytes;
}

static bool has_filter(hid_t properties, H5Z_filter_t filter) {
    unsigned flags;
    size_t n = 0;
    return H5Pget_filter_by_id2(properties, filter, &flags, &n, NULL, 0, NULL, NULL) >= 0;
}

static bool can_be_written(hid_t type, unsigned rank, hid_t properties) {
    hsize_t chunk[5] = {0};
    if (H5Pget_layout(properties) != H5D_CHUNKED) return true;
    return !has_filter(properties, H5Z_FILTER_NBIT) &&
           !has_filter(properties, H5Z_FILTER_SCALEOFFSET) &&
           H5Pget_chunk(properties, 5, chunk) >= 0 &&
           bytes_of(type, rank, chunk) <= WRITTEN_AT_MOST;
}

static void fill(struct program *p, hid_t id, hid_t type, hid_t space, bool attribute) {
    static unsigned char values[1 << 16];
    hssize_t n = H5Sget_simple_extent_npoints(space);
    size_t size = H5Tget_size(type);
    H5T_class_t class = H5Tget_class(type);
    if (n < 1 || (size_t)n > sizeof values / size || class == H5T_VLEN || class == H5T_REFERENCE)
        return;
    unsigned first = take(p, 256), step = take(p, 8);
    for (size_t i = 0; i < (size_t)n * size; i++)
        values[i] = (unsigned char)(first + i * step);
    if (attribute)
        (void)H5Awrite(id, type, values);
    else
        (void)H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
}

static void put_dataset(struct program *p, const char *path) {
    hsize_t dims[5];
    unsigned rank;
    hid_t type = type_of(p), space = space_of(p, &rank, dims), properties = layout_of(p, rank);
    drop(p, path);
    hid_t id = H5Dcreate2(p->file, path, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    if (id >= 0) {
        if (take(p, 4) && can_be_written(type, rank, properties)) fill(p, id, type, space, false);
        (void)H5Dclose(id);
    }
    (void)H5Pclose(properties);
    (void)H5Sclose(space);
    (void)H5Tclose(type);
}

static void put_virtual(struct program *p, const char *path) {
    hsize_t dims[2] = {4, 4}, most[2] = {H5S_UNLIMITED, 4}, start[2] = {0}, count[2] = {1, 1};
    hsize_t block[2] = {H5S_UNLIMITED, 4};
    bool endless = take(p, 2);
    hid_t space = H5Screate_simple(2, dims, endless ? most : NULL);
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    if (endless) (void)H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, block);
    (void)H5Pset_virtual(properties, space, take(p, 2) ? "." : "nowhere.h5", path, space);
    drop(p, path);
    hid_t id = H5Dcreate2(p->file, path, H5T_STD_U8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    if (id >= 0) (void)H5Dclose(id);
    (void)H5Pclose(properties);
    (void)H5Sclose(space);
}

static void put_number(hid_t file, const char *object, const char *name, double value, bool real) {
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t type = real ? H5T_IEEE_F64LE : H5T_STD_I64LE;
    hid_t id =
        H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (id >= 0) {
        (void)H5Awrite(id, H5T_NATIVE_DOUBLE, &value);
        (void)H5Aclose(id);
    }
    (void)H5Sclose(space);
}

static void put_text(struct program *p, const char *object, const char *name) {
    const char *text = PICK(p, texts);
    bool variable = take(p, 2);
    hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
    (void)H5Tset_size(type, variable ? H5T_VARIABLE : strlen(text) + 1);
    hid_t id = H5Acreate_by_name(p->file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT,
                                 H5P_DEFAULT);
    if (id >= 0) {
        (void)H5Awrite(id, type, variable ? (const void *)&text : text);
        (void)H5Aclose(id);
    }
    (void)H5Tclose(type);
    (void)H5Sclose(space);
}

static void put_attribute(struct program *p, const char *object) {
    const char *name = PICK(p, attributes);
    hsize_t dims[5];
    unsigned rank;
    (void)H5Adelete_by_name(p->file, object, name, H5P_DEFAULT);
    switch (take(p, 5)) {
    case 0:
        return;
    case 1:
        put_number(p->file, object, name, PICK(p, numbers), take(p, 2));
        return;
    case 2:
        put_number(p->file, object, name, take(p, 20), false);
        return;
    case 3:
        put_text(p, object, name);
        return;
    default:
        break;
    }
    hid_t type = type_of(p), space = space_of(p, &rank, dims);
    hid_t id = H5I_INVALID_HID;
    if (bytes_of(type, rank, dims) <= WRITTEN_AT_MOST)
        id = H5Acreate_by_name(p->file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT,
                               H5P_DEFAULT);
    if (id >= 0) {
        fill(p, id, type, space, true);
        (void)H5Aclose(id);
    }
    (void)H5Sclose(space);
    (void)H5Tclose(type);
}

static void put_link(struct program *p, const char *path) {
    const char *target = PICK(p, objects);
    drop(p, path);
    switch (take(p, 4)) {
    case 0:
        (void)H5Lcreate_soft(target, p->file, path, H5P_DEFAULT, H5P_DEFAULT);
        break;
    case 1:
        (void)H5Lcreate_external(own_path, target, p->file, path, H5P_DEFAULT, H5P_DEFAULT);
        break;
    case 2:
        (void)H5Lcreate_hard(p->file, target, p->file, path, H5P_DEFAULT, H5P_DEFAULT);
        break;
    default:
        (void)H5Gclose(H5Gcreate2(p->file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    }
}

static void change(struct program *p) {
    unsigned kind = take(p, 8);
    const char *object = PICK(p, objects);
    if (kind == 0)
        drop(p, object);
    else if (kind == 1)
        put_link(p, object);
    else if (kind == 2 && take(p, 4) == 0)
        put_virtual(p, object);
    else if (kind < 5)
        put_dataset(p, object);
    else
        put_attribute(p, object);
}

static bool is_h5(const uint8_t *data, size_t size) {
    return size > 8 && memcmp(data, "\x89HDF\r\n\x1a\n", 8) == 0;
}

const char *fuzz_h5(const char *base, const uint8_t *data, size_t size) {
    /* What HDF5 has freed is free, and no longer looks like a leak, which takes long to look for.
     */
    (void)H5set_free_list_limits(0, 0, 0, 0, 0, 0);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (is_h5(data, size)) return data[8] >= 2 ? fuzz_file(data, size) : NULL;
    const char *path = copy_of(base);
    struct program p = {data, data + size, H5I_INVALID_HID, 0};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    (void)H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 10, 2)
    (void)H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V110);
#endif
    p.file = H5Fopen(path, H5F_ACC_RDWR, access);
    (void)H5Pclose(access);
    if (p.file < 0) abort();
    for (int i = 0; i < 24 && p.at < p.end; i++)
        change(&p);
    (void)H5Fclose(p.file);
    return path;
}
