# SPDX-License-Identifier: MIT
# Hardening of everything that is compiled and linked below: included before the first folder, so that no target, and no module
# that another project's helper makes, is left out. tests/hardening reads the installed programs and the compiler's command lines.
include(CheckCXXCompilerFlag)
include(CheckPIESupported)

check_pie_supported(LANGUAGES CXX)  # CMAKE_POSITION_INDEPENDENT_CODE: -fPIE -pie for programs, -fPIC for libraries

set(meshnet_hardening -fstack-protector-strong)
foreach(flag -fstack-clash-protection -fcf-protection)  # the second where the target has it (x86)
  string(MAKE_C_IDENTIFIER "MESHNET_HAS${flag}" has)
  check_cxx_compiler_flag(${flag} ${has})
  if(${has})
    list(APPEND meshnet_hardening ${flag})
  endif()
endforeach()
add_compile_options(${meshnet_hardening})

# Checked variants of the C library's functions need an optimising build, and would hide errors from sanitizers.
if(NOT (MESHNET_SANITIZE OR MESHNET_SANITIZE_THREAD OR MESHNET_BUILD_FUZZ))
  add_compile_options($<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE>
                      $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-D_FORTIFY_SOURCE=3>)
endif()

# Full RELRO: what the dynamic linker wrote is read-only before main(). No executable stack.
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
