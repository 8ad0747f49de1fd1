#!/bin/sh
# SPDX-License-Identifier: MIT
# The commands that share work between threads, with several of them, under ThreadSanitizer.
. "$TSR_TESTS/cli/common.inc"
pictures photos 6 16 16
tessera 0 pack pack photos -o d.h5 --size 16x16 --split 0.5,0.25,0.25 --threads 4
for method in maml reptile; do
    tessera 0 "train, $method" train d.h5 -o $method.h5 --method $method --grid 2x2 --width 8 --hidden-layers 1 --batch 2 \
        --outer-steps 6 --warmup 1 --val-every 2 --val-images 1 --threads 4
done
tessera 0 "train on segments" train d.h5 -o segments.h5 --segment 3 --width 8 --hidden-layers 1 --batch 2 \
    --outer-steps 4 --warmup 1 --val-images 1 --threads 4
tessera 0 eval eval maml.h5 d.h5 --threads 4
tessera 0 adapt adapt maml.h5 photos/p0.ppm -o p.inr.h5 --png --threads 4
tessera 0 render render p.inr.h5 --scale 3 -o p3.png --threads 4
tessera 0 fit fit photos/p1.ppm -o f.inr.h5 --grid 2x2 --width 8 --iterations 5 --threads 4
tessera 0 hypothesis hypothesis --boundaries 1,2 --runs 2 --max-steps 40 --threads 4
finish
