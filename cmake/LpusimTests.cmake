# SPDX-License-Identifier: BSD-3-Clause
# How tests are registered: serial CUnit mains, the same on several ranks, and scripts.
#
#   lpusim_test(NAME SOURCES f.c... ROOMS room... [LIBS lib...] [ARGS arg...] [TIMEOUT s])
#   lpusim_mpi_test(NAME SOURCES f.c... ROOMS room... RANKS 1 2 3 8 [LIBS lib...] [ARGS arg...] [TIMEOUT s])
#   lpusim_script_test(NAME COMMAND word... [PROCESSORS n] [TIMEOUT s])
#   lpusim_test_helper(file...)      files of tests/ that are no test of their own
#
# Called from tests/FOLDER/CMakeLists.txt; ctest shows FOLDER.NAME, or FOLDER.NAME.N for N ranks. A test that
# leaves status 77 counts as skipped. TIMEOUT is in seconds on two cores; a sanitizer build gets five times that. Where
# no run has been timed, tests of long limits start first. PROCESSORS is how many cores a test keeps busy for most of its
# time; where ranks are started only to end, that is one.
# Scripts find in their environment LPUSIM_MP (the program), LPUSIM_MPIRUN, LPUSIM_PYTHON, LPUSIM_SOURCE_DIR,
# LPUSIM_BUILD_DIR and LPUSIM_VERSION.
pkg_check_modules(CUNIT REQUIRED IMPORTED_TARGET cunit)

# Jobs of one node: shared memory is all they need, and looking for networks takes 0.2 s of a start; a process without
# mpirun is alone and starts no daemon of its own, which takes as long again.
set(LPUSIM_TEST_ENVIRONMENT
  OMPI_MCA_pml=ob1 OMPI_MCA_ess_singleton_isolated=1
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
  OMPI_MCA_btl_vader_single_copy_mechanism=none
  LPUSIM_MPIRUN=${MPIEXEC_EXECUTABLE}
  LPUSIM_SOURCE_DIR=${CMAKE_SOURCE_DIR} LPUSIM_BUILD_DIR=${CMAKE_BINARY_DIR}
  LPUSIM_VERSION=${PROJECT_VERSION})
set(LPUSIM_TEST_TIME_FACTOR 1)
if(LPUSIM_SANITIZE)
  set(LPUSIM_TEST_TIME_FACTOR 5)
  list(APPEND LPUSIM_TEST_ENVIRONMENT
    ASAN_OPTIONS=fast_unwind_on_malloc=0
    "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/sanitizer/leaks.txt:print_suppressions=0")
endif()

# The system's python first: one that is earlier in PATH may lack h5py.
function(lpusim_find_python)
  foreach(candidate /usr/bin/python3 python3)
    execute_process(COMMAND ${candidate} -c "import h5py" RESULT_VARIABLE missing OUTPUT_QUIET ERROR_QUIET)
    if(missing STREQUAL "0")
      set(LPUSIM_PYTHON ${candidate} CACHE STRING "Python that can import h5py")
      return()
    endif()
  endforeach()
  message(WARNING "No python3 with h5py; tests that need it will fail. On Debian: apt-get install python3-h5py")
  set(LPUSIM_PYTHON python3 CACHE STRING "Python that can import h5py")
endfunction()
if(NOT DEFINED LPUSIM_PYTHON)
  lpusim_find_python()
endif()
list(APPEND LPUSIM_TEST_ENVIRONMENT LPUSIM_PYTHON=${LPUSIM_PYTHON})

function(lpusim_test_helper)
  foreach(file ${ARGN})
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
    set_property(GLOBAL APPEND PROPERTY LPUSIM_TEST_FILES "${file}")
  endforeach()
endfunction()

function(lpusim_test_folder out)
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
  set(${out} "${folder}" PARENT_SCOPE)
endfunction()

# Sets the properties that every test has; processors: cores it keeps busy. Each has a folder of its own for what Open
# MPI keeps of a job: processes that are alone all call themselves by one name, and take each other's files away.
function(lpusim_test_properties test timeout processors)
  math(EXPR limit "${timeout} * ${LPUSIM_TEST_TIME_FACTOR}")
  set(folder "${CMAKE_BINARY_DIR}/ompi/${test}")
  file(MAKE_DIRECTORY "${folder}")
  set(environment ${LPUSIM_TEST_ENVIRONMENT} OMPI_MCA_orte_tmpdir_base=${folder})
  if(TARGET lpusim-mp)
    list(APPEND environment LPUSIM_MP=$<TARGET_FILE:lpusim-mp>)
  endif()
  set_tests_properties(${test} PROPERTIES TIMEOUT ${limit} COST ${limit} PROCESSORS ${processors} SKIP_RETURN_CODE 77
    ENVIRONMENT "${environment}")
endfunction()

# Builds the executable test_FOLDER_NAME; sets ${out} to its target, or to nothing where a room has no sources.
function(lpusim_test_program out name sources rooms libs)
  lpusim_test_folder(folder)
  foreach(room ${rooms})
    if(NOT TARGET ${room})
      message(NOTICE "tests/${folder}: ${name} left out, room ${room} has no sources")
      set(${out} "" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(target test_${folder}_${name})
  add_executable(${target} ${sources})
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow)
  target_compile_definitions(${target} PRIVATE _POSIX_C_SOURCE=200809L)
  target_link_libraries(${target} PRIVATE test_main ${rooms} ${libs} lpusim_sanitizer m)
  lpusim_test_helper(${sources})
  set(${out} ${target} PARENT_SCOPE)
endfunction()

function(lpusim_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;ROOMS;LIBS;ARGS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 60)
  endif()
  lpusim_test_program(target ${name} "${TEST_SOURCES}" "${TEST_ROOMS}" "${TEST_LIBS}")
  if(NOT target)
    return()
  endif()
  lpusim_test_folder(folder)
  add_test(NAME ${folder}.${name} COMMAND ${target} ${TEST_ARGS})
  lpusim_test_properties(${folder}.${name} ${TEST_TIMEOUT} 1)
endfunction()

function(lpusim_mpi_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;ROOMS;LIBS;ARGS;RANKS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  if(NOT TEST_RANKS)
    message(FATAL_ERROR "lpusim_mpi_test(${name}): no RANKS")
  endif()
  lpusim_test_program(target ${name} "${TEST_SOURCES}" "${TEST_ROOMS}" "${TEST_LIBS}")
  if(NOT target)
    return()
  endif()
  lpusim_test_folder(folder)
  math(EXPR limit "${TEST_TIMEOUT} * ${LPUSIM_TEST_TIME_FACTOR}")
  foreach(ranks ${TEST_RANKS})
    set(test ${folder}.${name}.${ranks})
    # mpirun's own limit comes first: it removes the shared memory that a killed mpirun would leave.
    add_test(NAME ${test} COMMAND ${MPIEXEC_EXECUTABLE} --oversubscribe --timeout ${limit} -np ${ranks}
      $<TARGET_FILE:${target}> ${TEST_ARGS})
    math(EXPR outer "${TEST_TIMEOUT} + 15")
    if(ranks GREATER 1)
      lpusim_test_properties(${test} ${outer} 2)
    else()
      lpusim_test_properties(${test} ${outer} 1)
    endif()
  endforeach()
endfunction()

function(lpusim_script_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT;PROCESSORS" "COMMAND" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  if(NOT TEST_PROCESSORS)
    set(TEST_PROCESSORS 1)
  endif()
  lpusim_test_folder(folder)
  add_test(NAME ${folder}.${name} COMMAND ${TEST_COMMAND} WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
  lpusim_test_properties(${folder}.${name} ${TEST_TIMEOUT} ${TEST_PROCESSORS})
  foreach(word ${TEST_COMMAND})
    cmake_path(ABSOLUTE_PATH word BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" OUTPUT_VARIABLE file)
    if(EXISTS "${file}")
      lpusim_test_helper("${file}")
    endif()
  endforeach()
endfunction()

# Writes the list that house.every_test_file_is_registered compares with the folder.
function(lpusim_write_test_files)
  get_property(files GLOBAL PROPERTY LPUSIM_TEST_FILES)
  list(REMOVE_DUPLICATES files)
  list(JOIN files "\n" text)
  file(WRITE "${CMAKE_BINARY_DIR}/test_files.txt" "${text}\n")
endfunction()
