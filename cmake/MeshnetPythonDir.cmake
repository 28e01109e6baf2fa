# SPDX-License-Identifier: MIT
# MESHNET_PYTHON_DIR: where Python modules go below the prefix, so that the Python which GNU Radio is installed for finds them:
# a folder of its own search path that lies below the prefix (Debian: lib/python3.11/dist-packages below /usr/local,
# lib/python3/dist-packages below /usr), else the platform's default scheme.
include(GNUInstallDirs)
if(NOT MESHNET_PYTHON_DIR OR NOT MESHNET_PYTHON_DIR_PREFIX STREQUAL CMAKE_INSTALL_PREFIX)
  execute_process(
    COMMAND ${Python3_EXECUTABLE} -c "
import os, site, sys, sysconfig
prefix = os.path.normpath(sys.argv[1])
found = [p for p in site.getsitepackages() if os.path.normpath(p).startswith(prefix + os.sep)]
if found:
    print(os.path.relpath(found[0], prefix))
else:
    path = os.path.relpath(sysconfig.get_path('platlib', vars={'base': prefix, 'platbase': prefix}), prefix)
    print(path[len('local/'):] if path.startswith('local/') else path)
" ${CMAKE_INSTALL_PREFIX}
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(MESHNET_PYTHON_DIR ${found} CACHE STRING "Where Python modules are installed, below the prefix" FORCE)
  set(MESHNET_PYTHON_DIR_PREFIX ${CMAKE_INSTALL_PREFIX} CACHE INTERNAL "The prefix it was found for")
endif()
# Relative ways between what is installed, so that the whole can be moved.
file(RELATIVE_PATH to_lib /${MESHNET_PYTHON_DIR}/gnuradio/meshnet /${CMAKE_INSTALL_LIBDIR})
set(MESHNET_PYTHON_TO_LIB "$ORIGIN/${to_lib}")
file(RELATIVE_PATH MESHNET_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" MESHNET_PC_TO_PREFIX "${MESHNET_PC_TO_PREFIX}")
