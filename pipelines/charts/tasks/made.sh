#!/usr/bin/env bash
# Puts the new copy of the chart into the deployments and runs a command that leaves files in the folder $OUTPUT.
set -euo pipefail

export OUTPUT=$PWD/output
rm -rf "repo/$COPY"
mkdir -p "repo/$COPY"
cp -a "chart/$CHART_PATH/." "repo/$COPY"
cd repo
bash -euo pipefail -c "$COMMAND"
