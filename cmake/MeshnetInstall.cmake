# SPDX-License-Identifier: MIT
# `cmake --install build --component libraries --prefix DIR`: headers, static libraries, CMake package and pkg-config files of the
# MIT rooms, so that other programs can use the protocol. tests/install builds such a program.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(meshnet_rooms core host phy mac net node sim)
set(meshnet_libraries core host fec phy mac net node sim sim_config world)
set(targets "")
foreach(name IN LISTS meshnet_libraries)
  list(APPEND targets meshnet_${name})
  set_target_properties(meshnet_${name} PROPERTIES EXPORT_NAME ${name})
endforeach()
install(TARGETS ${targets} EXPORT meshnetTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libraries)
foreach(room IN LISTS meshnet_rooms)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/meshnet COMPONENT libraries
          FILES_MATCHING PATTERN "*.hpp")
endforeach()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/meshnet)
install(EXPORT meshnetTargets NAMESPACE meshnet:: DESTINATION ${package_dir} COMPONENT libraries)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/meshnetConfig.cmake.in
                              ${CMAKE_CURRENT_BINARY_DIR}/meshnetConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/meshnetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/meshnetConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/meshnetConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT libraries)

# One pkg-config file a layer, each with what it needs of the others.
function(meshnet_pkg_config name description libraries requires requires_private)
  set(PC_NAME ${name})
  set(PC_DESCRIPTION ${description})
  set(PC_LIBRARIES ${libraries})
  set(PC_REQUIRES ${requires})
  set(PC_REQUIRES_PRIVATE ${requires_private})
  configure_file(${PROJECT_SOURCE_DIR}/cmake/meshnet.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT libraries)
endfunction()
meshnet_pkg_config(meshnet-phy "OFDM modem: frames to samples and back" "-lmeshnet_phy -lmeshnet_fec -lfftw3f_threads" "" "fftw3f volk")
meshnet_pkg_config(meshnet-mac "medium access for long links" "-lmeshnet_mac" "" "libsodium")
meshnet_pkg_config(meshnet-net "paid routing between stations" "-lmeshnet_net" "" "libsodium")
meshnet_pkg_config(meshnet-node "one MAC and one router made into a node" "-lmeshnet_node" "meshnet-phy meshnet-mac meshnet-net" "")
meshnet_pkg_config(meshnet-sim "channel models, the air, worlds in virtual time"
                   "-lmeshnet_world -lmeshnet_sim_config -lmeshnet_sim -lmeshnet_host" "meshnet-node" "")
