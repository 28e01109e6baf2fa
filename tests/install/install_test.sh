#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# install_test.sh BUILD WORK COMPILER: installs the libraries of BUILD below WORK, builds tests/install/outside against them
# twice (CMake package, pkg-config) and runs both.
set -euo pipefail
build=$1
work=$2
compiler=$3
outside=$(cd "$(dirname "$0")/outside" && pwd)

rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --component libraries --prefix "$work/prefix" >/dev/null
gpl=(-path '*/station/*' -o -path '*/apps/*' -o -name '*meshnet_station*' -o -name '*gnuradio*')
if [ -n "$(find "$work/prefix" "${gpl[@]}" -print -quit)" ]; then
    echo "files of the GPL rooms were installed with the MIT libraries" >&2
    exit 1
fi

cmake -S "$outside" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_CXX_COMPILER="$compiler" >"$work/configure.log" ||
    { cat "$work/configure.log" >&2; exit 1; }
cmake --build "$work/build" >"$work/build.log" || { cat "$work/build.log" >&2; exit 1; }
"$work/build/outside"

directory=$(dirname "$(find "$work/prefix" -name meshnet-phy.pc)")
export PKG_CONFIG_PATH="$directory"
read -ra flags < <(pkg-config --cflags --libs --static meshnet-phy)
"$compiler" -std=c++20 "$outside/outside.cpp" -o "$work/outside-pkg-config" "${flags[@]}"
"$work/outside-pkg-config"
