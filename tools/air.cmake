# SPDX-License-Identifier: MIT
# The air as a program.
find_package(CLI11 REQUIRED)
add_executable(meshnet-air ${PROJECT_SOURCE_DIR}/tools/meshnet_air.cpp)
target_link_libraries(meshnet-air PRIVATE meshnet::sim meshnet::sim_config CLI11::CLI11)
meshnet_warnings(meshnet-air)
