#!/usr/bin/env bash
# Applies the Terraform configuration of one environment.
set -euo pipefail

cd "repo/$DIRECTORY"
"$PROGRAM" init -input=false -no-color
"$PROGRAM" apply -input=false -no-color -auto-approve
