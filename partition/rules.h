/* SPDX-License-Identifier: MIT
 *
 * Partition rules: what divides an image into regions. Each is an object in partition/rules/, one
 * file with one constant, and one line in the registry in rules.c.
 *
 * A rule looks at the size of the image only and lays out rectangles in rows and columns
 * (`lattice`), or it finds the regions in the pixels (`label`), or the regions are semantic classes
 * that a label map names, which no rule can find (neither function).
 */
#ifndef TSR_PARTITION_RULES_H
#define TSR_PARTITION_RULES_H

#include "base/labels.h"
#include "base/object.h"
#include "partition/picture.h"

/* Largest number of regions of a rule that follows the image: label maps are stored in 16 bits. */
#define TSR_MAX_LABELS 65535
/* Largest overlap in pixels. */
#define TSR_MAX_OVERLAP 64

/* Rectangles in rows and columns: cells of fixed size, but at the lower and right edge, or, where
 * cell_height and cell_width are 0, balanced ones: cell i of n covers the rows floor(i H/n) ..
 * floor((i+1) H/n) - 1. */
struct tsr_lattice {
    size_t rows, cols;
    size_t cell_height, cell_width;
};

struct tsr_rule {
    struct tsr_object object;
    /* A rule that depends on the size of the image only: rectangles, numbered row-major. */
    struct tsr_lattice (*lattice)(const double *value, size_t height, size_t width);
    /* Where parameters of such a rule count pixels: makes them those of an image at 1/scale of its
     * size; false: they are no multiples. NULL: none counts pixels. */
    bool (*reduce)(double *value, size_t scale);
    /* A rule that finds the regions in the pixels: labels [height, width], each below the
     * parameter `n_regions`, which the rule must have; every region has pixels. A function of its
     * arguments alone; any thread, and it starts none. Errors: TSR_ERR_ARGUMENT (an image that is
     * none), TSR_ERR_CONFIG (more regions than the image allows), TSR_ERR_NO_MEMORY. */
    enum tsr_status (*label)(const double *value, const struct tsr_picture *picture,
                             uint32_t *labels, struct tsr_error *err);
};

TSR_API extern const struct tsr_rule tsr_rule_whole, tsr_rule_grid, tsr_rule_cell,
    tsr_rule_quadtree, tsr_rule_segment, tsr_rule_labels;
TSR_API extern const struct tsr_registry tsr_rules;

/* A choice of a rule by the values of its parameters, in the order of its table, for initialisers:
 * struct tsr_choice c = TSR_RULE(grid, 8, 8). */
#define TSR_RULE(name, ...)                                                                        \
    {                                                                                              \
        .object = &tsr_rule_##name.object, .value = { __VA_ARGS__ }                                \
    }

/* A rule with its parameters, and the margin that goes with any of them. */
struct tsr_partition_rule {
    struct tsr_choice rule; /* of tsr_rules */
    size_t overlap;         /* pixels, 0 .. TSR_MAX_OVERLAP */
};

/* The object. `rule` must have one. */
TSR_API const struct tsr_rule *tsr_partition_rule_object(const struct tsr_partition_rule *rule);
TSR_API bool tsr_partition_rule_is(const struct tsr_partition_rule *rule,
                                   const struct tsr_rule *object);

/* Does the partition of an image depend on more than its size? Then it is made from a label map. */
TSR_API bool tsr_rule_follows_image(const struct tsr_partition_rule *rule);
/* Does the rule find the label map itself, in the pixels? */
TSR_API bool tsr_rule_finds_regions(const struct tsr_partition_rule *rule);
/* Has every image the same number of regions, whatever its size? */
TSR_API bool tsr_rule_count_is_fixed(const struct tsr_partition_rule *rule);

/* "grid 8x8", "segment 9 color", "labels 19", "grid 8x8 overlap 2": also what a dataset's label
 * maps say they were made by. out [size], terminated. */
TSR_API void tsr_partition_rule_describe(const struct tsr_partition_rule *rule, char *out,
                                         size_t size);
TSR_API enum tsr_status tsr_partition_rule_check(const struct tsr_partition_rule *rule,
                                                 struct tsr_error *err) TSR_MUST_USE;

/* Number of regions of a height x width image under a rule that passed the check. */
TSR_API size_t tsr_partition_rule_regions(const struct tsr_partition_rule *rule, size_t height,
                                          size_t width);
/* Has region r the same place in images of both sizes? True of rules that follow the image. */
TSR_API bool tsr_partition_rule_same_places(const struct tsr_partition_rule *rule, size_t height,
                                            size_t width, size_t other_height, size_t other_width);

/* The rule that cuts an image at 1/scale of its size as this one cuts the image. Errors:
 * TSR_ERR_CONFIG for a rule that follows the image, or where cells or overlap are no multiples. */
TSR_API enum tsr_status tsr_partition_rule_reduce(struct tsr_partition_rule *rule, size_t scale,
                                                  struct tsr_error *err) TSR_MUST_USE;

/* The rule `labels` of so many classes; with `has_void` the pixels of no class are a region of
 * their own, behind the classes. */
TSR_API void tsr_partition_rule_set_classes(struct tsr_partition_rule *rule, size_t n,
                                            bool has_void);
/* Of the rule `labels`; 0 of others. */
TSR_API size_t tsr_partition_rule_classes(const struct tsr_partition_rule *rule);
/* Is the last region that of the pixels of no class? */
TSR_API bool tsr_partition_rule_has_void(const struct tsr_partition_rule *rule);

/* May label maps that were made by `made_by` (a description as above without the overlap, or
 * "labels") serve this rule? `labels` takes any but those that another rule found in the pixels; a
 * rule that finds its regions takes those that are its own. False for rules that need none. */
TSR_API bool tsr_partition_rule_takes_maps(const struct tsr_partition_rule *rule,
                                           const char *made_by);

/* The label map [height, width] of an image under a rule that follows it: `stored` [height, width]
 * if there is one (else NULL: the rule finds it). Of the rule `labels`, pixels of TSR_VOID_LABEL
 * are the last region if that is void, else each gets the class of the nearest pixel that has one
 * (in steps up, down, left and right; class 0 where none has). Errors: those of struct tsr_rule's
 * `label`; TSR_ERR_CONFIG when `labels` has no map, TSR_ERR_ARGUMENT for a label that is not below
 * the number of regions. */
TSR_API enum tsr_status tsr_partition_rule_label(const struct tsr_partition_rule *rule,
                                                 const struct tsr_picture *picture,
                                                 const uint16_t *stored, uint32_t *labels,
                                                 struct tsr_error *err) TSR_MUST_USE;

#endif
