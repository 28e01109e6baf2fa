# SPDX-License-Identifier: MIT
add_executable(bench_moving bench_moving.cpp)
target_link_libraries(bench_moving PRIVATE meshnet::phy benchmark::benchmark)
meshnet_warnings(bench_moving)
