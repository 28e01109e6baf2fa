# SPDX-License-Identifier: MIT
# `cmake --install`, component `programs`: the daemon, the command line, the air, and their manual pages, which
# are made of what the programs say of themselves.
include(GNUInstallDirs)
find_program(MESHNET_PYTHON3 NAMES python3 DOC "Python that makes the manual pages")
install(TARGETS meshnetd meshnet_air meshnet_cli meshnet_page RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
install(FILES tools/examples/air-coast-beacon-ship.toml tools/examples/meshnet.nft DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT programs)
if(MESHNET_PYTHON3 AND NOT (MESHNET_SANITIZE OR MESHNET_SANITIZE_THREAD OR MESHNET_BUILD_FUZZ))
  set(pages "")
  foreach(program meshnetd meshnet_air meshnet_cli meshnet_page)
    get_target_property(name ${program} OUTPUT_NAME)
    if(NOT name)
      set(name ${program})
    endif()
    set(page ${CMAKE_BINARY_DIR}/man/${name}.1)
    add_custom_command(OUTPUT ${page}
      COMMAND ${MESHNET_PYTHON3} ${PROJECT_SOURCE_DIR}/tools/manual_page.py $<TARGET_FILE:${program}> ${PROJECT_VERSION} ${page}
      DEPENDS ${program} ${PROJECT_SOURCE_DIR}/tools/manual_page.py)
    list(APPEND pages ${page})
  endforeach()
  add_custom_target(manual_pages ALL DEPENDS ${pages})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT programs)
endif()
