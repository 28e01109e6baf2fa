# SPDX-License-Identifier: MIT
# Target bench_mac. Included by bench/CMakeLists.txt.
find_package(benchmark REQUIRED)
add_executable(bench_mac ${CMAKE_CURRENT_LIST_DIR}/bench_mac.cpp)
target_link_libraries(bench_mac PRIVATE meshnet::mac benchmark::benchmark_main)
meshnet_warnings(bench_mac)
