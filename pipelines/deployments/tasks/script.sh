#!/usr/bin/env bash
# Runs a script of the repository in the folder of one environment.
set -euo pipefail

script=$PWD/repo/$SCRIPT_PATH
cd "repo/$DIRECTORY"
bash "$script"
