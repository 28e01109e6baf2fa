// SPDX-License-Identifier: MIT
// Marks a function whose loops are worth compiling once per instruction set.
//
// The version for the best one of the processor at hand is chosen when the program starts. All give the same values:
// libraries that use it are compiled with -ffp-contract=off, and a sum is written with a fixed number of parts. Other
// compilers, other processors and sanitizers (whose runtime is not up when the choice is made) get the plain version.
#pragma once

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define MESHNET_TARGET_CLONES __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define MESHNET_TARGET_CLONES
#endif
