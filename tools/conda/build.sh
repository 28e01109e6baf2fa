#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What conda runs in the source folder. The tests need radios' modules that conda does not have; they run elsewhere.
set -euo pipefail
cmake -S . -B build/conda -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$PREFIX" -DCMAKE_INSTALL_PREFIX="$PREFIX" \
    -DCMAKE_INSTALL_LIBDIR=lib -DPython3_EXECUTABLE="$PYTHON" -DMESHNET_BUILD_TESTS=OFF -DMESHNET_BUILD_BENCH=OFF -DMESHNET_BUILD_LAB=OFF
cmake --build build/conda --parallel "${CPU_COUNT:-2}"
cmake --install build/conda
