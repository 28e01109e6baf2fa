#!/bin/sh
# SPDX-License-Identifier: MIT
# judge_test.sh FACTS SOURCE BUILD: what we compute of Bitcoin, checked by bcoin (npm). It is installed into the build folder if that
# is possible; without node or network the test is skipped (77), and says so.
set -eu
facts=$1; source=$2; folder=$3/bcoin
command -v node >/dev/null || { echo "skipped: node is not installed"; exit 77; }
if [ ! -d "$folder/node_modules/bcoin" ]; then
    command -v npm >/dev/null || { echo "skipped: npm is not installed"; exit 77; }
    mkdir -p "$folder"
    (cd "$folder" && { [ -f package.json ] || echo '{"private": true}' >package.json; } &&
        timeout 240 npm install --fetch-retries=1 --fetch-retry-maxtimeout=5000 --no-audit --no-fund --ignore-scripts --no-save bcoin@1.0.2 >npm.log 2>&1) ||
        { rm -rf "$folder/node_modules"; echo "skipped: npm could not install bcoin ($folder/npm.log)"; exit 77; }
fi
"$facts" >"$folder/facts.json"
NODE_BACKEND=js NODE_PATH="$folder/node_modules" node "$source/judge.js" <"$folder/facts.json"
