# SPDX-License-Identifier: MIT
# Every library from outside, found once for all folders. `./meshnet` installs their Debian packages.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(FFTW3F REQUIRED IMPORTED_TARGET fftw3f)
# fftwf_make_planner_thread_safe() is in a library of its own, without a pkg-config file.
find_library(FFTW3F_THREADS fftw3f_threads REQUIRED)
target_link_libraries(PkgConfig::FFTW3F INTERFACE ${FFTW3F_THREADS})
pkg_check_modules(VOLK REQUIRED IMPORTED_TARGET volk)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
if(MESHNET_BUILD_STATION OR MESHNET_BUILD_TESTS)
  pkg_check_modules(SECP256K1 REQUIRED IMPORTED_TARGET libsecp256k1)  # signatures of Bitcoin
endif()
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)  # configuration files of the daemon and of the air

if(MESHNET_BUILD_STATION)
  pkg_check_modules(MNL REQUIRED IMPORTED_TARGET libmnl)  # rtnetlink: the TUN interface
  pkg_check_modules(CAPNG REQUIRED IMPORTED_TARGET libcap-ng)  # what the daemon gives up at its start
  pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
  pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3)
  pkg_check_modules(LIBARCHIVE REQUIRED IMPORTED_TARGET libarchive)  # SigMF archives of recordings
  pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)  # the status page
  find_package(spdlog REQUIRED)
  # Radios through their own libraries, where those are installed.
  find_package(SoapySDR 0.8 QUIET)
  find_package(UHD 4 QUIET)
endif()
if(MESHNET_BUILD_STATION OR MESHNET_BUILD_LAB)
  find_package(nlohmann_json REQUIRED)
  find_package(CLI11 REQUIRED)
endif()
if(MESHNET_BUILD_STATION OR MESHNET_BUILD_LAB OR MESHNET_BUILD_BENCH)
  find_library(LIQUID_LIBRARY liquid REQUIRED)  # resampling recordings; the baseline of benchmarks
endif()
if(MESHNET_BUILD_MESHAIR)
  find_package(SoapySDR REQUIRED)
endif()
if(MESHNET_BUILD_TESTS)
  find_package(GTest REQUIRED)
  find_package(UHD 4 REQUIRED)  # the virtual radio through it
endif()
if(MESHNET_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
