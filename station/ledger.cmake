# SPDX-License-Identifier: GPL-3.0-or-later
# The ledger on disk: meshnet::ledger. Included by station/CMakeLists.txt, or by the tests when the station is not built.
if(NOT TARGET meshnet::ledger)
  pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3)
  find_package(Threads REQUIRED)
  meshnet_add_library(ledger
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/ledger_sqlite.cpp ${CMAKE_CURRENT_LIST_DIR}/ledger_reader.cpp
            ${CMAKE_CURRENT_LIST_DIR}/ledger_store.cpp
    LINK meshnet::net PRIVATE_LINK PkgConfig::SQLITE3 Threads::Threads)
endif()
