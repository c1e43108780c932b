# The library for C: include/lightning/c.h as a shared library which exports that and nothing else.
#
#   find_package(LightningDB 1.0 REQUIRED)                            cc $(pkg-config --cflags lightning_c) app.c \
#   target_link_libraries(app PRIVATE lightning::lightning_c)            $(pkg-config --libs lightning_c)
#
# tools/abi/lightning_c.symbols is what it exports, and since which version; the linker's version script is made of it.
set(abi_file ${PROJECT_SOURCE_DIR}/tools/abi/lightning_c.symbols)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${abi_file})
file(STRINGS ${abi_file} abi_lines REGEX "^lightning_")
set(exported "")
foreach(line IN LISTS abi_lines)
  if(NOT line MATCHES "^(lightning_[a-z_]+)@@LIGHTNING_1\\.0 ")
    message(FATAL_ERROR "tools/abi/lightning_c.symbols: cannot read '${line}'")
  endif()
  string(APPEND exported "    ${CMAKE_MATCH_1};\n")
endforeach()
set(version_script ${PROJECT_BINARY_DIR}/lightning_c.map)
file(CONFIGURE OUTPUT ${version_script} CONTENT "LIGHTNING_1.0 {\n  global:\n${exported}  local: *;\n};\n" @ONLY)

add_library(lightning_c SHARED)
add_library(lightning::lightning_c ALIAS lightning_c)
get_property(layers GLOBAL PROPERTY lightning_layers)
foreach(layer IN LISTS layers)
  target_sources(lightning_c PRIVATE $<TARGET_OBJECTS:${layer}>)
endforeach()
# What the archive links to, none of which is a user's business here.
get_target_property(beneath lightning LINK_LIBRARIES)
target_link_libraries(lightning_c PRIVATE lightning_flags ${beneath})
get_target_property(blake3_kind lightning_blake3 TYPE)
if(blake3_kind STREQUAL STATIC_LIBRARY)
  target_sources(lightning_c PRIVATE $<TARGET_OBJECTS:lightning_blake3>)
endif()
# nodelete: threads of the library may still be running when a plug-in that uses it is unloaded.
target_link_options(lightning_c PRIVATE -Wl,--version-script=${version_script} -Wl,-z,nodelete)
set_target_properties(lightning_c PROPERTIES LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION} SOVERSION 1
  LINK_DEPENDS "${version_script}")
target_include_directories(lightning_c PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

install(TARGETS lightning_c EXPORT LightningDBTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
file(RELATIVE_PATH to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/lightning_c.pc @ONLY CONTENT "\
prefix=\${pcfiledir}/${to_prefix}
libdir=\${prefix}/${CMAKE_INSTALL_LIBDIR}
Name: lightning_c
Description: ${PROJECT_DESCRIPTION}, for C
Version: ${PROJECT_VERSION}
Cflags: -I\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}
Libs: -L\${libdir} -llightning_c
")
install(FILES ${PROJECT_BINARY_DIR}/lightning_c.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
