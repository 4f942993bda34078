#!/bin/sh
# Every run and picture behind docs/studies/{dcgan,vae,side_by_side}.md, their tables, and the picture of
# classifier.md. Runs that are finished are left alone, stopped ones go on. PRECISION=32-true where the processor does not multiply in bfloat16.
set -eu
runs="${GENLAB_RUNS:-runs}/studies"
pages=docs/studies
precision="trainer.precision=${PRECISION:-bf16-mixed}"
for seed in 0 1 2; do
    genlab train experiment=classifier "$precision" seed=$seed run_dir="$runs/classifier/seed=$seed"
    genlab train experiment=dcgan "$precision" trainer.max_epochs="${DCGAN_EPOCHS:-15}" seed=$seed \
        run_dir="$runs/dcgan/seed=$seed"
    for latent in 2 20; do
        genlab train experiment=vae "$precision" trainer.max_epochs="${VAE_EPOCHS:-8}" model.latent_dim=$latent \
            seed=$seed run_dir="$runs/vae/latent=$latent-seed=$seed"
    done
done
for run in "$runs"/classifier/* "$runs"/dcgan/* "$runs"/vae/*; do
    [ -f "$run/.evaluated" ] || { genlab evaluate run="$run" judge="$runs/classifier/seed=0" && touch "$run/.evaluated"; }
done

genlab sample run="$runs/classifier/seed=0" kind=mistakes output=$pages/classifier_mistakes.png
genlab sample run="$runs/dcgan/seed=0" kind=grid count=100 output=$pages/dcgan_grid.png
genlab sample run="$runs/dcgan/seed=0" kind=labelled judge="$runs/classifier/seed=0" output=$pages/dcgan_labelled.png
cp "$runs/dcgan/seed=0/figures/class_histogram.png" $pages/dcgan_histogram.png
genlab sample run="$runs/vae/latent=2-seed=0" kind=manifold output=$pages/vae_manifold.png
genlab sample run="$runs/vae/latent=2-seed=0" kind=scatter output=$pages/vae_scatter.png
genlab sample run="$runs/vae/latent=20-seed=0" kind=grid count=100 output=$pages/vae_grid_20.png
genlab sample run="$runs/vae/latent=20-seed=0" kind=reconstructions output=$pages/vae_reconstructions_20.png

genlab report runs="$runs/dcgan" output=$pages/dcgan.md
genlab report runs="$runs/vae" output=$pages/vae.md
genlab compare runs="[$runs/dcgan/seed=0,$runs/vae/latent=2-seed=0,$runs/vae/latent=20-seed=0]" output=$pages/side_by_side.md
