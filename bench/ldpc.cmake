# SPDX-License-Identifier: MIT
# Target bench_ldpc. Included by bench/CMakeLists.txt.
find_package(benchmark REQUIRED)
add_executable(bench_ldpc ${CMAKE_CURRENT_LIST_DIR}/bench_ldpc.cpp)
target_link_libraries(bench_ldpc PRIVATE meshnet::fec benchmark::benchmark_main)
meshnet_warnings(bench_ldpc)
