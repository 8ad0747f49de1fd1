// SPDX-License-Identifier: MIT
// A program of someone else: sees nothing but what is installed, and uses all of it.
#include <tessera.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#define MUST(call)                                                                                 \
    do {                                                                                           \
        tsr_error err;                                                                             \
        if ((call) != TSR_OK) {                                                                    \
            std::printf("%s: %s\n", #call, err.message);                                           \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::printf("false: %s\n", #condition);                                                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static const size_t side = 16, channels = 3;

static int count(void *user, const tsr_training_progress *progress) {
    *static_cast<uint64_t *>(user) = progress->outer_step;
    return 0;
}

static int train(const std::vector<float> &pixels, tsr_model **model) {
    const tsr_images images = tsr_images_floats(pixels.data(), 2, side, side, channels);
    tsr_dataset *dataset;
    tsr_settings *settings;
    tsr_dataset_info info;
    uint64_t steps = 0;
    char text[32];
    info.size = sizeof info;
    MUST(tsr_dataset_from_images(&images, &dataset, &err));
    MUST(tsr_dataset_get_info(dataset, &info, &err));
    CHECK(info.images == 2 && info.train == 2);
    MUST(tsr_settings_create(&settings, &err));
    MUST(tsr_settings_set(settings, "rule", "grid 2x2", &err));
    MUST(tsr_settings_set(settings, "width", "8", &err));
    MUST(tsr_settings_set(settings, "outer-steps", "5", &err));
    MUST(tsr_settings_get(settings, "rule", text, sizeof text, &err));
    CHECK(std::strcmp(text, "grid 2x2") == 0 && tsr_settings_name(settings, 0));
    MUST(tsr_model_train(dataset, settings, nullptr, count, &steps, model, &err));
    CHECK(steps == 5);
    tsr_settings_free(settings);
    tsr_dataset_free(dataset);
    return 0;
}

static int pass_on(tsr_model **model, tsr_inr **inr, const float *pixels) {
    const tsr_images image = tsr_images_floats(pixels, 1, side, side, channels);
    tsr_adapt_settings settings = tsr_adapt_defaults();
    double psnr_db[4];
    tsr_adapt_report report = tsr_adapt_report_of(psnr_db, 4);
    tsr_model_info info;
    void *bytes;
    size_t size;
    info.size = sizeof info;
    MUST(tsr_model_to_memory(*model, &bytes, &size, &err));
    tsr_model_free(*model);
    MUST(tsr_model_from_memory(bytes, size, model, &err));
    tsr_free(bytes);
    MUST(tsr_model_get_info(*model, &info, &err));
    CHECK(info.channels == channels && info.height == side);
    MUST(tsr_model_to_file(*model, "embed.h5", &err));
    tsr_model_free(*model);
    MUST(tsr_model_from_file("embed.h5", model, &err));
    MUST(tsr_model_adapt(*model, &image, &settings, inr, &report, &err));
    CHECK(report.regions == 4 && psnr_db[3] == report.final_psnr_db);
    MUST(tsr_inr_to_memory(*inr, &bytes, &size, &err));
    tsr_inr_free(*inr);
    MUST(tsr_inr_from_memory(bytes, size, inr, &err));
    tsr_free(bytes);
    MUST(tsr_inr_to_file(*inr, "embed.inr.h5", &err));
    tsr_inr_free(*inr);
    MUST(tsr_inr_from_file("embed.inr.h5", inr, &err));
    return 0;
}

static int look(const tsr_inr *inr) {
    std::vector<float> picture(side * side * channels), params;
    std::vector<uint8_t> bytes(4 * picture.size());
    const float at[4] = {0, 0, static_cast<float>(side - 1), 3.25F};
    float value[6];
    tsr_inr_info info;
    info.size = sizeof info;
    MUST(tsr_inr_get_info(inr, &info, &err));
    params.resize(info.region_params);
    MUST(tsr_inr_get_params(inr, 3, params.data(), &err));
    MUST(tsr_inr_eval(inr, at, 2, 0, value, &err));
    MUST(tsr_inr_render_floats(inr, side, side, 0, picture.data(), &err));
    MUST(tsr_inr_render_bytes(inr, 2 * side, 2 * side, 0, bytes.data(), &err));
    CHECK(std::fabs(value[0] - picture[0]) < 1e-5F);
    return 0;
}

int main() {
    std::vector<float> pixels(2 * side * side * channels);
    tsr_model *model = nullptr;
    tsr_inr *inr = nullptr;
    tsr_dataset *none;
    CHECK(std::strcmp(tsr_version(), TSR_VERSION) == 0);
    CHECK(tsr_dataset_from_file("nowhere.h5", &none, nullptr) == TSR_ERR_IO);
    CHECK(std::strcmp(tsr_status_name(TSR_OK), "ok") == 0);
    for (size_t i = 0; i < pixels.size(); i++)
        pixels[i] = 0.5F + 0.4F * std::sin(0.1F * static_cast<float>(i));
    if (train(pixels, &model) || pass_on(&model, &inr, pixels.data()) || look(inr)) return 1;
    tsr_inr_free(inr);
    tsr_model_free(model);
    return 0;
}
