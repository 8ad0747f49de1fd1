/* SPDX-License-Identifier: MIT
 *
 * What there is in a file of others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/h5_internal.h"

#define DEEPEST 16
#define LONGEST_PATH 1024

/* "uint8", "big-endian int64": as numpy calls it. */
static void number_text(hid_t type, H5T_class_t class, char text[32]) {
    const char *kind = class == H5T_FLOAT                  ? "float"
                       : H5Tget_sign(type) == H5T_SGN_NONE ? "uint"
                                                           : "int";
    size_t size = H5Tget_size(type);
    bool big = size > 1 && H5Tget_order(type) == H5T_ORDER_BE;
    (void)snprintf(text, 32, "%s%s%u", big ? "big-endian " : "", kind, (unsigned)(8 * (size & 31)));
}

static void look_at_type(hid_t type, struct tsr_h5_entry *out) {
    H5T_class_t class = H5Tget_class(type);
    out->kind = TSR_H5_OTHER;
    (void)snprintf(out->type_text, sizeof out->type_text, "%s", tsr_h5_class_name(class));
    if (class == H5T_NO_CLASS) {
        out->kind = TSR_H5_UNREADABLE;
    } else if (class == H5T_INTEGER || class == H5T_FLOAT) {
        number_text(type, class, out->type_text);
        if (tsr_h5_number_type(type, &out->type)) out->kind = TSR_H5_NUMBERS;
    } else if (tsr_h5_is_blob(type)) {
        out->kind = TSR_H5_BLOBS;
        (void)snprintf(out->type_text, sizeof out->type_text, "bytes of any number");
    }
}

static void look_at_dataset(hid_t id, struct tsr_h5_entry *out) {
    hsize_t dims[H5S_MAX_RANK];
    out->kind = TSR_H5_UNREADABLE;
    (void)snprintf(out->type_text, sizeof out->type_text, "not readable");
    if (tsr_h5_is_virtual(id)) return;
    hid_t type = H5Dget_type(id), space = H5Dget_space(id);
    int rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);
    if (type >= 0 && rank >= 0) look_at_type(type, out);
    if (rank > TSR_H5_MAX_RANK) out->kind = TSR_H5_OTHER;
    out->rank = rank < 0 ? 0 : rank > TSR_H5_MAX_RANK ? TSR_H5_MAX_RANK : (size_t)rank;
    for (size_t i = 0; i < out->rank; i++)
        out->dims[i] = dims[i] > SIZE_MAX ? SIZE_MAX : (size_t)dims[i];
    out->reversed = H5Aexists(id, "MATLAB_class") > 0;
    if (type >= 0) (void)H5Idec_ref(type);
    if (space >= 0) (void)H5Idec_ref(space);
}

/* ---- one object ------------------------------------------------------------------------------ */

static void look(const struct tsr_h5 *file, const char *object, struct tsr_h5_entry *out) {
    *out = (struct tsr_h5_entry){.path = object, .kind = TSR_H5_ABSENT};
    if (!tsr_h5_find(file, object)) return;
    hid_t id = tsr_h5_check_path(file, object, NULL) == TSR_OK
                   ? H5Oopen(file->id, object, file->access)
                   : H5I_INVALID_HID;
    H5I_type_t kind = id < 0 ? H5I_BADID : H5Iget_type(id);
    out->kind = kind == H5I_GROUP ? TSR_H5_OTHER : TSR_H5_UNREADABLE;
    (void)snprintf(out->type_text, sizeof out->type_text, "%s",
                   kind == H5I_GROUP ? "group" : "not readable");
    if (kind == H5I_DATASET) look_at_dataset(id, out);
    if (id >= 0) (void)H5Idec_ref(id);
}

void tsr_h5_look(struct tsr_h5 *file, const char *object, struct tsr_h5_entry *out) {
    struct tsr_h5_call call = tsr_h5_enter();
    look(file, object, out);
    tsr_h5_leave(call);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Where an object lies in its file: the same for all its names. */
#if H5_VERSION_GE(1, 12, 0)
typedef H5O_token_t place;
#else
typedef haddr_t place;
#endif

static bool place_of(hid_t id, place *out) {
#if H5_VERSION_GE(1, 12, 0)
    H5O_info2_t info;
    bool known = H5Oget_info3(id, &info, H5O_INFO_BASIC) >= 0;
    if (known) *out = info.token;
#else
    H5O_info_t info;
    bool known = H5Oget_info(id, &info) >= 0;
    if (known) *out = info.addr;
#endif
    return known;
}

struct walk {
    place *walked; /* [n_walked] groups, owned: many names may lead to one, and in circles */
    size_t n_walked;
    const struct tsr_h5 *file;
    tsr_h5_entry_fn fn;
    void *user;
    int depth;
    char path[LONGEST_PATH]; /* of the group that is walked */
    size_t length;
};

static herr_t visit(hid_t group, const char *name, const H5L_info_t *info, void *data);

static herr_t walk_group(hid_t group, struct walk *w) {
    place here;
    if (w->depth >= DEEPEST || !place_of(group, &here)) return 0;
    for (size_t i = 0; i < w->n_walked; i++)
        if (memcmp(&w->walked[i], &here, sizeof here) == 0) return 0;
    if (TSR_GROW(&w->walked, w->n_walked, "groups of a file", NULL) != TSR_OK) return -1;
    w->walked[w->n_walked++] = here;
    w->depth++;
    herr_t result = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, w);
    w->depth--;
    return result;
}

static herr_t visit(hid_t group, const char *name, const H5L_info_t *info, void *data) {
    struct walk *w = data;
    size_t length = w->length, more = strlen(name);
    if (info->type != H5L_TYPE_HARD || more + 2 > sizeof w->path - length) return 0;
    w->path[length] = '/';
    memcpy(w->path + length + 1, name, more + 1);
    w->length = length + 1 + more;
    herr_t result = 0;
    struct tsr_h5_entry entry = {.path = w->path};
    hid_t id = H5Oopen(group, name, w->file->access);
    if (id >= 0 && H5Iget_type(id) == H5I_GROUP) {
        result = walk_group(id, w);
    } else if (id >= 0 && H5Iget_type(id) == H5I_DATASET) {
        look_at_dataset(id, &entry);
        result = !w->fn(w->user, &entry);
    }
    if (id >= 0) (void)H5Idec_ref(id);
    w->length = length;
    w->path[length] = 0;
    return result;
}

static enum tsr_status list(const struct tsr_h5 *file, const char *group, tsr_h5_entry_fn fn,
                            void *user, struct tsr_error *err) {
    struct walk w = {.file = file, .fn = fn, .user = user};
    if (group[1] != 0) {
        TSR_TRY(tsr_h5_check_path(file, group, err));
        w.length = strlen(group);
        if (w.length >= sizeof w.path)
            return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, group, "has too long a name");
        memcpy(w.path, group, w.length + 1);
    }
    hid_t id = H5Oopen(file->id, group, file->access);
    bool listed = id >= 0 && H5Iget_type(id) == H5I_GROUP && walk_group(id, &w) >= 0;
    free(w.walked);
    if (!listed) {
        enum tsr_status status = TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, group, "cannot be listed");
        return tsr_h5_close_id(file, group, id, status, err);
    }
    return tsr_h5_close_id(file, group, id, TSR_OK, err);
}

enum tsr_status tsr_h5_list(struct tsr_h5 *file, const char *group, tsr_h5_entry_fn fn, void *user,
                            struct tsr_error *err) {
    TSR_H5_READING(file, err, list(file, group, fn, user, err));
}
