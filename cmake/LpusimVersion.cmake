# SPDX-License-Identifier: BSD-3-Clause
# lpusim_version(TARGET): version_values.h for TARGET, looked up anew by every build, rewritten only when it changed.
#
# As a script (cmake -D... -P) it writes that header: OUTPUT, SOURCE_DIR, NUMBER and COMPILER are given.
if(CMAKE_SCRIPT_MODE_FILE)
  execute_process(COMMAND git -C "${SOURCE_DIR}" describe --always --abbrev=12 --dirty=+changes --exclude=*
    OUTPUT_VARIABLE source OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed STREQUAL "0")
    set(source unknown)
  endif()
  set(text "/* Written by the build. */\n#define VERSION_NUMBER \"${NUMBER}\"\n")
  string(APPEND text "#define VERSION_SOURCE \"${source}\"\n#define VERSION_COMPILER \"${COMPILER}\"\n")
  file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "${text}" @ONLY)
  return()
endif()

function(lpusim_version target)
  set(folder "${CMAKE_BINARY_DIR}/generated")
  set(compiler "${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}, ${CMAKE_BUILD_TYPE}")
  add_custom_target(${target}_version
    COMMAND ${CMAKE_COMMAND} "-DOUTPUT=${folder}/version_values.h" "-DSOURCE_DIR=${CMAKE_SOURCE_DIR}"
      "-DNUMBER=${PROJECT_VERSION}" "-DCOMPILER=${compiler}" -P "${CMAKE_CURRENT_FUNCTION_LIST_FILE}"
    BYPRODUCTS "${folder}/version_values.h" COMMENT "" VERBATIM)
  add_dependencies(${target} ${target}_version)
  target_include_directories(${target} PRIVATE "${folder}")
endfunction()
