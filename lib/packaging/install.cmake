# A relocatable install: the package files find everything from where they lie themselves.
# Two export sets, because only a test program should have to have GoogleTest.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/banyan)

install(DIRECTORY include/banyan DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING
        PATTERN "*.h" PATTERN "testing" EXCLUDE PATTERN "http" EXCLUDE)
install(TARGETS banyan EXPORT banyan)
install(EXPORT banyan NAMESPACE banyan:: FILE banyan-targets.cmake DESTINATION ${package_dir})

if(TARGET banyan_testing)
  install(DIRECTORY include/banyan/testing DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/banyan
          FILES_MATCHING PATTERN "*.h")
  install(TARGETS banyan_testing EXPORT banyan_testing)
  install(EXPORT banyan_testing NAMESPACE banyan:: FILE banyan-testing-targets.cmake
          DESTINATION ${package_dir})
endif()

# Again a set of its own, because only who speaks HTTP should have to have libcurl.
if(TARGET banyan_http)
  install(DIRECTORY include/banyan/http DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/banyan
          FILES_MATCHING PATTERN "*.h")
  install(TARGETS banyan_http EXPORT banyan_http)
  install(EXPORT banyan_http NAMESPACE banyan:: FILE banyan-http-targets.cmake
          DESTINATION ${package_dir})
endif()

if(TARGET banyan_tool)
  # It is nobody's dependency, so it is in no export set.
  install(TARGETS banyan_tool DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

configure_package_config_file(lib/packaging/banyan-config.cmake.in banyan-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
# Before 1.0 each minor version is a library of its own.
write_basic_package_version_file(banyan-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/banyan-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/banyan-config-version.cmake
        DESTINATION ${package_dir})

# banyan.pc lies in <prefix>/<libdir>/pkgconfig; the way back up is the same wherever the prefix goes.
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
           BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${pkgconfig_dir}
           OUTPUT_VARIABLE BANYAN_PC_PREFIX)
configure_file(lib/packaging/banyan.pc.in banyan.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/banyan.pc DESTINATION ${pkgconfig_dir})
if(TARGET banyan_http)
  configure_file(lib/packaging/banyan-http.pc.in banyan-http.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/banyan-http.pc DESTINATION ${pkgconfig_dir})
endif()
