/* SPDX-License-Identifier: MIT */
#include "cli/likely.h"

#include <string.h>

/* What other programs of this field call it, and what it is here: words with blanks between them.
 * Of ours those count that the command has. */
struct foreign {
    const char *theirs, *ours;
};

static const struct foreign options[] = {
    {"lr learning-rate rate", "outer-lr inner-lr lr adam-lr"},
    {"meta-lr beta-lr", "outer-lr"},
    {"alpha lr-inner", "inner-lr rates"},
    {"epochs steps iters iterations max-steps num-steps n-steps meta-steps meta-iterations",
     "outer-steps iterations inner-steps time"},
    {"inner-iterations inner-iters num-inner-steps adapt-steps test-steps", "inner-steps"},
    {"batch-size bs b meta-batch-size tasks num-tasks", "batch batch-fraction"},
    {"max-time timeout duration", "time"},
    {"layers num-layers n-layers depth", "hidden-layers"},
    {"hidden hidden-size hidden-dim hidden-features dim-hidden units channels-hidden", "width"},
    {"w0 omega-0 omega0 omega_0 first-omega", "omega-first omega"},
    {"activation nonlinearity arch architecture network", "net"},
    {"optim optimizer optimiser", "inner-optimizer method"},
    {"maml reptile fomaml first-order", "method"},
    {"anil latent latent-dim modulation", "adapt"},
    {"patch patches patch-size cell-size block block-size", "cell grid"},
    {"superpixels segments n-segments slic regions num-regions parts", "segment"},
    {"masks mask label", "labels label-map"},
    {"resolution res image-size img-size imsize shape crop-size", "size"},
    {"resize crop interpolation", "fit"},
    {"upscale factor zoom", "scale"},
    {"out outfile out-file save save-to output-file output-dir o", "output"},
    {"overwrite f y yes clobber", "force"},
    {"workers num-workers jobs j nproc cpus cores", "threads"},
    {"random-seed random-state", "seed"},
    {"silent s no-progress", "quiet"},
    {"checkpoint ckpt restore continue resume-from", "resume"},
    {"pretrained weights from init-from warm-start", "init"},
    {"max-images num-images n-images subset max-samples num-samples n", "limit"},
    {"train-val-test val-split val-fraction test-size splits", "split split-file"},
    {"gray grey grayscale greyscale rgb", "channels"},
    {"val-interval eval-every eval-interval log-every", "val-every"},
    {"backend simd isa", "kernel"},
    {"usage h", "help"},
};

static const struct foreign commands[] = {
    {"evaluate evaluation test validate score metrics benchmark-model", "eval"},
    {"reconstruct infer inference predict encode compress apply run", "adapt"},
    {"meta-train metatrain learn meta-learn start", "train"},
    {"prepare preprocess convert import build dataset ingest", "pack"},
    {"decode decompress draw export show-inr", "render"},
    {"inspect show describe stat stats summary ls dump print", "info"},
    {"overfit single optimize optimise train-single", "fit"},
    {"benchmark speed perf", "bench"},
    {"example examples sample try quickstart", "demo"},
    {"usage man", "help"},
    {"-v --ver", "version"},
};

/* What are arguments here. */
static const char operands[] =
    "model data dataset data-dir data-path input in i image images img path src source file";

/* What is no option here, and why. */
static const struct {
    const char *theirs, *instead;
} explained[] = {
    {"device gpu gpus cuda no-cuda fp16 amp",
     "tessera computes on the processor, with as many cores as --threads says"},
    {"verbose v debug progress", "progress is shown unless --quiet is given"},
    {"version V", "tessera --version tells it"},
};

/* Is a word among words with blanks between them? */
static bool is_among(const char *word, const char *words) {
    size_t n = strlen(word);
    for (const char *at = words; n && (at = strstr(at, word)); at++)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || !at[n])) return true;
    return false;
}

static const struct foreign *find(const struct foreign *table, size_t n, const char *word) {
    for (size_t i = 0; i < n; i++)
        if (is_among(word, table[i].theirs)) return &table[i];
    return NULL;
}

/* Of the words those that the command has as options, as "--a or --b"; is there one? */
static bool print_ours(const struct cli_call *call, const char *words, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    while (*words && used < size) {
        char word[32];
        size_t n = strcspn(words, " ");
        (void)snprintf(word, sizeof word, "%.*s", (int)n, words);
        if (cli_table_find(call->table, word, 0))
            used += (size_t)snprintf(out + used, size - used, "%s--%s", used ? " or " : "", word);
        words += n + strspn(words + n, " ");
    }
    return used > 0;
}

static const char *nearest_option(const struct cli_call *call, const char *name) {
    const char *words[CLI_MAX_OPTIONS];
    size_t n = 0;
    for (const struct cli_option *o = call->table->option; o->type != CLI_END; o++)
        if (o->type != CLI_HEADING && o->type != CLI_HIDDEN && !o->hidden) words[n++] = o->name;
    return tsr_name_nearest(name, words, n);
}

enum tsr_status cli_unknown_option(const struct cli_call *call, const char *written,
                                   struct tsr_error *err) {
    const char *name = written + strspn(written, "-");
    const struct foreign *known = find(options, sizeof options / sizeof *options, name);
    char ours[160];
    if (known && print_ours(call, known->ours, ours, sizeof ours))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "unknown option %s; did you mean %s?", written, ours);
    const char *nearest = name[0] && name[1] ? nearest_option(call, name) : NULL;
    if (nearest)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "unknown option %s; did you mean --%s?", written,
                         nearest);
    if (is_among(name, operands))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "unknown option %s; what it names stands without one: tessera %s %s",
                         written, call->command->name, call->command->operands);
    for (size_t i = 0; i < sizeof explained / sizeof *explained; i++)
        if (is_among(name, explained[i].theirs))
            return TSR_ERROR(err, TSR_ERR_CONFIG, "unknown option %s; %s", written,
                             explained[i].instead);
    return TSR_ERROR(err, TSR_ERR_CONFIG, "unknown option %s; tessera %s --help lists them",
                     written, call->command->name);
}

enum tsr_status cli_unknown_command(const char *written, struct tsr_error *err) {
    const char *names[32];
    size_t n = 0;
    for (; cli_commands[n]; n++)
        names[n] = cli_commands[n]->name;
    const struct foreign *known = find(commands, sizeof commands / sizeof *commands, written);
    const char *nearest = known ? known->ours : tsr_name_nearest(written, names, n);
    if (nearest)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "unknown command \"%s\"; did you mean %s?", written,
                         nearest);
    return TSR_ERROR(err, TSR_ERR_CONFIG, "unknown command \"%s\"; tessera --help lists them",
                     written);
}
