#!/bin/sh
# The pictures of docs/studies/gan_control.md, from the study's runs (genlab train -m study=gan_control budget=quick).
set -eu
runs="${GENLAB_RUNS:-runs}/gan_control/quick"
pages=docs/studies
genlab sample run="$runs/z1_and_z2,seed=0" kind=identities output=$pages/gan_control_identities.png
genlab sample run="$runs/means,seed=0" kind=digits output=$pages/gan_control_digits.png
genlab sample run="$runs/z1_and_z2,seed=0" kind=transfer output=$pages/gan_control_transfer.png
