#!/usr/bin/env bash
# Applies the Terraform configuration of one environment.
set -euo pipefail

cd "repo/$DIRECTORY"
"$PROGRAM" init -input=false -no-color
"$PROGRAM" apply -input=false -no-color -auto-approve
if [ -e terraform.tfstate ]; then
  echo "$DIRECTORY: the state is in a file of this container and ends with it: configure a backend" >&2
  exit 1
fi
