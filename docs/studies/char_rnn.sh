#!/bin/sh
# Every run behind docs/studies/char_rnn.md. Runs that are finished are left alone, stopped ones go on.
set -eu
runs="${GENLAB_RUNS:-runs}/studies/char_rnn"
for seed in 0 1 2; do
    genlab train experiment=char_rnn data.corpus=tiny_shakespeare seed=$seed run_dir="$runs/report-seed=$seed"
    for layers in 1 2; do
        genlab train experiment=char_rnn_reference data.corpus=tiny_shakespeare model.num_layers=$layers seed=$seed \
            run_dir="$runs/reference-layers=$layers-seed=$seed"
    done
done
for run in "$runs"/*; do
    [ -f "$run/evaluation/completion.json" ] || genlab evaluate run="$run"
    [ -f "$run/samples/generated_text.txt" ] || genlab sample run="$run" length=1000 >/dev/null
done
genlab report runs="$runs" output=docs/studies/char_rnn.md
