# SPDX-License-Identifier: MIT
# The laboratory: `meshnet-lab` measures the modem; `meshnet sweep` and `meshnet report phy` are made of it.
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Threads REQUIRED)
find_library(LIQUID_LIBRARY liquid REQUIRED)

set(lab ${PROJECT_SOURCE_DIR}/tools/phy_lab)
meshnet_add_library(lab
  SOURCES ${lab}/detection.cpp ${lab}/genie.cpp ${lab}/ideal_csi.cpp ${lab}/interval.cpp ${lab}/liquid_anchor.cpp ${lab}/monte_carlo.cpp
          ${lab}/signal_stats.cpp ${lab}/threshold_search.cpp
  LINK meshnet::core meshnet::phy meshnet::sim Threads::Threads
  PRIVATE_LINK ${LIQUID_LIBRARY})
add_executable(meshnet-lab ${lab}/lab_main.cpp ${lab}/lab_io.cpp ${lab}/threshold_io.cpp ${lab}/cmd_budget.cpp ${lab}/cmd_fading.cpp ${lab}/cmd_regress.cpp ${lab}/cmd_signal.cpp
               ${lab}/cmd_sweep.cpp ${lab}/cmd_threshold.cpp)
target_link_libraries(meshnet-lab PRIVATE meshnet::lab CLI11::CLI11 nlohmann_json::nlohmann_json)
meshnet_warnings(meshnet-lab)
