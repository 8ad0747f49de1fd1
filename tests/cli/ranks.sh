#!/bin/sh
# SPDX-License-Identifier: MIT
# Several processes, by the program built with MPI: the same model, the same figures, and the same dataset, whatever their number and that of
# their threads, across a resumption too; one voice; the death of one ends all; what only one of them
# finds out ends all with one message.
. "$TSR_TESTS/cli/common.inc"

mpi=$TSR_BUILD/mpi/tessera
if [ ! -x "$mpi" ]; then
    echo "skip several processes: no program built with MPI (Open MPI or MPICH is missing)"
    exit 0
fi
# As root, with more processes than cores, on this machine alone.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl=self,vader OMPI_MCA_plm=isolated TMPDIR="$work"
find_python sys

small_dataset d.h5
small="--width 8 --hidden-layers 1 --region-fraction 0.75 --warmup 2 --val-every 3"
options="$small --grid 2x2 --batch 5"

# ranks CODE NAME RANKS ARGUMENTS...: as `tessera` of common.inc, by so many processes
ranks() {
    ranks_code=$1 ranks_name=$2 n=$3; shift 3
    exits "$ranks_code" "$ranks_name" mpirun -n "$n" "$mpi" "$@"
}
same() {
    name=$1; shift
    check "$name" "$python" "$TSR_TESTS/cli/ranks.py" "$@"
}

# shellcheck disable=SC2086
{
    tessera 0 "one process, which knows nothing of MPI" train d.h5 -o 0x1.h5 $options --outer-steps 9 --threads 1
    for ranks_threads in 1x2 2x1 2x2 3x1; do
        n=${ranks_threads%x*}
        ranks 0 "processes x threads: $ranks_threads" "$n" train d.h5 -o $ranks_threads.h5 $options --outer-steps 9 \
            --threads "${ranks_threads#*x}"
    done
    same "the same model" 0x1.h5 1x2.h5 2x1.h5 2x2.h5 3x1.h5
    check "one voice" test "$(grep -c 'outer steps in' out)" -eq 1
    check "how long each waited" grep -q 'waited for other processes so far: rank [0-2] least' err
    check "the log has it for each" grep -q '"slowest_rank": [0-2], .*"waited_seconds": \[[0-9.e-]*, [0-9.e-]*, [0-9.e-]*\]' 3x1.h5.jsonl
    tessera 0 "watch" watch 3x1.h5
    check "names the slowest" grep -q '^slowest rank [0-2]: others waited for it up to [0-9]* % of the time' out
    check "and one process waits for nobody" sh -c '! grep -q waited 0x1.h5.jsonl'
    tessera 0 "another seed" train d.h5 -o other.h5 $options --outer-steps 9 --seed 1
    check "another model" sh -c "! $python $TSR_TESTS/cli/ranks.py 0x1.h5 other.h5"
    ranks 0 "a part of the run by two processes" 2 train d.h5 -o part.h5 $options --outer-steps 9 --final-lr 1
    tessera 0 "the whole by one" train d.h5 -o whole.h5 $options --outer-steps 15 --final-lr 1
    ranks 0 "the rest by three" 3 train d.h5 --resume part.h5 --outer-steps 15
    same "the same model across a resumption" whole.h5 part.h5
    ranks 0 "regions that follow the image, one slot each, first order" 2 train d.h5 -o s2.h5 $small --outer-steps 4 \
        --batch 5 --segment 4 --slots per-region --method fomaml
    tessera 0 "the same by one process" train d.h5 -o s1.h5 $small --outer-steps 4 \
        --batch 5 --segment 4 --slots per-region --method fomaml
    same "the same model of segments" s1.h5 s2.h5
    ranks 0 "slots that turn, by three" 3 train d.h5 -o t3.h5 $options --outer-steps 6 --then per-region
    tessera 0 "the same by one process" train d.h5 -o t1.h5 $options --outer-steps 6 --then per-region
    same "the same model of slots that turned" t1.h5 t3.h5
    ranks 2 "more processes than images" 3 train d.h5 -o no.h5 $small --batch 2 --outer-steps 3
    check "and why" grep -q '3 processes share a meta-batch of 2 images' err
    ranks 2 "a command for one process" 2 info d.h5
    check "is refused by one voice" test "$(grep -c '^tessera info: is for one process' err)" -eq 1

    figures() { grep -v seconds out >"$1"; }
    for n in 1 3; do
        ranks 0 "evaluation by $n" $n eval 0x1.h5 d.h5 --split all --json eval$n.json --csv regions$n.csv \
            --image-csv images$n.csv --by-region
        grep -v 'pixels of borders' out >one && mv one out
        figures all.$n
        ranks 0 "evaluation of segments, with a baseline, by $n" $n eval s1.h5 d.h5 --split train --limit 7 --baseline random
        figures train.$n
    done
    check "the same figures" cmp all.1 all.3
    check "the same figures of segments" cmp train.1 train.3
    check "of all images, and of some" grep -q 'images.12$' all.3
    check "the same figures of regions" cmp regions1.csv regions3.csv
    check "the same figures of images" cmp images1.csv images3.csv
    if find_python json; then
        check "the same JSON, but for seconds and what only who adapts sees" $python -c '
import json
one, three = (json.load(open("eval%d.json" % n)) for n in (1, 3))
for found in (one, three):
    for key in ("seconds_per_image", "map_seconds_per_image", "borders", "layers"):
        found.pop(key, None)
assert one == three and len(one["per_image"]) == 12'
    fi
    ranks 2 "a page" 2 eval 0x1.h5 d.h5 --report no.html
    check "is for one process" grep -q -- '--report is for one process, and 2 were started' err

    mkdir by1 by3 mixed
    pictures mixed/train 40 20 24
    pictures mixed/test 9 12 40
    echo none >mixed/train/p3.png
    for n in 1 3; do
        exits 0 "packing by $n" sh -c 'cd "$0" && exec "$@"' by$n mpirun -n $n "$mpi" pack ../mixed -o t.h5 --size 10x8 \
            --fit tile --segment 3 --threads 1
        check "what was left out is told once" test "$(grep -c 'skipped ../mixed/train/p3.png' err)" -eq 1
        check "one voice ($n)" test "$(wc -l <out)" -eq 1
    done
    check "the same dataset" cmp by1/t.h5 by3/t.h5
    mpirun -n 1 "$mpi" pack mixed -o no.h5 --size 10x8 : -n 1 "$mpi" pack mixed/train -o no.h5 --size 10x8 >out 2>err
    check "other images on rank 1 end all" grep -q '^tessera pack: rank 1: its list of 41 images is not the list of 50 of rank 0' err
    check "and nothing is left" test ! -e no.h5

    cp d.h5 e.h5
    $python -c 'import h5py; f = h5py.File("e.h5", "r+"); f["images"][0] = 0'
    mpirun -n 1 "$mpi" train d.h5 -o no.h5 $options --outer-steps 3 : \
        -n 1 "$mpi" train e.h5 -o no.h5 $options --outer-steps 3 >out 2>err
    check "other data on rank 1 end all" grep -q '^tessera train: rank 1: e.h5 is not the dataset of rank 0' err
    mpirun -n 1 "$mpi" train d.h5 -o no.h5 $options --outer-steps 3 --kernel portable : \
        -n 1 "$mpi" train d.h5 -o no.h5 $options --outer-steps 3 --kernel reference >out 2>err
    check "another kernel ends all" grep -q 'rank 1: computes by kernel' err
    mpirun -n 1 "$mpi" train d.h5 -o no.h5 $options --outer-steps 3 : \
        -n 1 "$mpi" train nothing.h5 -o no.h5 $options --outer-steps 3 >out 2>err
    check "no data on rank 1 end all" grep -q '^tessera train: rank 1: nothing.h5: cannot be opened' err
    check "nothing was written" test ! -e no.h5

    mpirun -n 2 "$mpi" train d.h5 -o killed.h5 $options --outer-steps 1000000 --checkpoint-every 1s >out 2>err &
    job=$!
    until [ -e killed.h5 ] || ! kill -0 $job 2>/dev/null; do sleep 0.1; done
    victim=$(pgrep -P $job | tail -n 1)
    check "rank 1 is there to be killed" kill -9 "$victim"
    wait $job
    check "its death ends all" test $? -ne 0
    check "with a message" grep -qi 'killed' err
    ranks 0 "what was saved goes on" 2 train d.h5 --resume killed.h5 --time 1s --force
}
[ $failures -eq 0 ]
