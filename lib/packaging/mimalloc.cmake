# Where the payload memory of lib/base/memory.cc comes from.
#
# A library must not change its host's allocator. Some distributions build mimalloc so that it
# exports malloc, free and operator new: whoever links that file moves the whole process to it. So
# the file found is asked what it exports, and then
#
#   it keeps to mi_*    link it                          BANYAN_MIMALLOC_LINKED
#   it exports malloc   open it at run time, privately   BANYAN_MIMALLOC_DLOPEN="<soname>"
#   none, or a sanitizer is on (it must see each block)  neither: plain malloc
#
# BANYAN_MIMALLOC=link, load or off takes the choice by hand.

# Sets `out` to whether the library file exports malloc.
function(banyan_exports_malloc file out)
  set(dynamic "")
  if(file MATCHES "\\.so(\\.|$)")
    set(dynamic -D)
  endif()
  execute_process(COMMAND ${CMAKE_NM} ${dynamic} --defined-only ${file}
                  OUTPUT_VARIABLE symbols ERROR_QUIET RESULT_VARIABLE failed)
  # A file that cannot be read is treated as one that overrides: loading it is always safe.
  if(failed OR symbols MATCHES " [TW] _?malloc[\r\n]")
    set(${out} TRUE PARENT_SCOPE)
  else()
    set(${out} FALSE PARENT_SCOPE)
  endif()
endfunction()

# Sets `out` to the name the dynamic loader knows the shared library by, or to "".
function(banyan_soname file out)
  set(${out} "" PARENT_SCOPE)
  execute_process(COMMAND ${CMAKE_READELF} -d ${file} OUTPUT_VARIABLE dynamic ERROR_QUIET)
  if(dynamic MATCHES "\\(SONAME\\)[^[]*\\[([^]]+)\\]")
    set(${out} "${CMAKE_MATCH_1}" PARENT_SCOPE)
  endif()
endfunction()

set(BANYAN_MIMALLOC_MODE off)   # what was decided: link, load or off
set(BANYAN_MIMALLOC_TARGET "")  # link: the target
set(BANYAN_MIMALLOC_SONAME "")  # load: the name to open

if(NOT BANYAN_MIMALLOC MATCHES "^(auto|link|load|off)$")
  message(FATAL_ERROR "BANYAN_MIMALLOC is '${BANYAN_MIMALLOC}': one of auto, link, load, off")
endif()

if(BANYAN_MIMALLOC STREQUAL "off")
elseif(BANYAN_SANITIZE AND BANYAN_MIMALLOC STREQUAL "auto")
else()
  if(NOT TARGET mimalloc AND NOT TARGET mimalloc-static)
    find_package(mimalloc CONFIG QUIET)
  endif()
  foreach(candidate mimalloc-static mimalloc)
    if(TARGET ${candidate})
      set(BANYAN_MIMALLOC_TARGET ${candidate})
      break()
    endif()
  endforeach()

  if(BANYAN_MIMALLOC_TARGET AND BANYAN_MIMALLOC STREQUAL "link")
    set(BANYAN_MIMALLOC_MODE link)
  elseif(BANYAN_MIMALLOC_TARGET)
    # Imported targets name their file per configuration; any of them answers the question.
    get_target_property(configurations ${BANYAN_MIMALLOC_TARGET} IMPORTED_CONFIGURATIONS)
    set(mimalloc_file "")
    foreach(configuration IN LISTS configurations)
      if(NOT mimalloc_file)
        get_target_property(mimalloc_file ${BANYAN_MIMALLOC_TARGET}
                            IMPORTED_LOCATION_${configuration})
      endif()
    endforeach()
    if(mimalloc_file)
      banyan_exports_malloc(${mimalloc_file} overrides)
      banyan_soname(${mimalloc_file} BANYAN_MIMALLOC_SONAME)
      if(BANYAN_MIMALLOC STREQUAL "auto" AND NOT overrides)
        set(BANYAN_MIMALLOC_MODE link)
      elseif(BANYAN_MIMALLOC_SONAME)
        set(BANYAN_MIMALLOC_MODE load)
      endif()
    endif()
  endif()
  if(BANYAN_MIMALLOC_MODE STREQUAL "off" AND NOT BANYAN_MIMALLOC STREQUAL "auto")
    message(FATAL_ERROR "BANYAN_MIMALLOC is '${BANYAN_MIMALLOC}', but no mimalloc was found for it")
  endif()
endif()
message(STATUS "Banyan payload memory: mimalloc ${BANYAN_MIMALLOC_MODE} ${BANYAN_MIMALLOC_SONAME}")
