# SPDX-License-Identifier: BSD-3-Clause
# lpusim_room(NAME USES rooms... LIBS external...): the static library of src/NAME and whom it may know.
# A room sees the headers of the rooms it USES and nobody else's: a wrong include does not compile.
function(lpusim_room name)
  cmake_parse_arguments(ROOM "" "" "USES;LIBS" ${ARGN})
  set(dir "${CMAKE_SOURCE_DIR}/src/${name}")
  file(GLOB sources CONFIGURE_DEPENDS "${dir}/*.c")
  if(NOT sources)
    return()
  endif()
  add_library(${name} STATIC ${sources})
  # Every room is included as "room/header.h"; the per-room include root holds one link to that room.
  set(root "${CMAKE_BINARY_DIR}/rooms/${name}")
  file(MAKE_DIRECTORY "${root}")
  file(CREATE_LINK "${dir}" "${root}/${name}" SYMBOLIC)
  target_include_directories(${name} PUBLIC "${root}")
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wconversion -Wshadow -ffp-contract=off)
  target_compile_definitions(${name} PRIVATE _POSIX_C_SOURCE=200809L)
  foreach(used ${ROOM_USES})
    target_link_libraries(${name} PUBLIC ${used})
  endforeach()
  target_link_libraries(${name} PRIVATE ${ROOM_LIBS} m)
endfunction()
