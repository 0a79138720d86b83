#!/usr/bin/env bash
# Puts the chart into the folder chart of the Terraform configuration that installs it, and shows what is to be seen of a
# release that fails.
set -euo pipefail

rm -rf "$DIRECTORY/chart"
cp -a "$CHART" "$DIRECTORY/chart"
trap evidence ERR
trap 'exit 130' INT # an abort leaves no time for that
