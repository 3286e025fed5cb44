# What `cmake --install` writes. Nothing depends on the architecture, so everything lies under include/ and share/.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_directory ${CMAKE_INSTALL_DATADIR}/cmake/halfstep)

install(TARGETS halfstep EXPORT halfstepTargets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/include/" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT halfstepTargets NAMESPACE halfstep:: DESTINATION ${package_directory})

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/halfstepConfig.cmake.in"
                              "${CMAKE_CURRENT_BINARY_DIR}/halfstepConfig.cmake"
                              INSTALL_DESTINATION ${package_directory})
# Before 1.0 a minor version may change anything; from then on only a major one may.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
else()
  set(compatibility SameMajorVersion)
endif()
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/halfstepConfigVersion.cmake"
                                 COMPATIBILITY ${compatibility} ARCH_INDEPENDENT)
install(
  FILES "${CMAKE_CURRENT_BINARY_DIR}/halfstepConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/halfstepConfigVersion.cmake"
        "${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake" "${CMAKE_CURRENT_LIST_DIR}/isa_variants.cmake"
  DESTINATION ${package_directory})
