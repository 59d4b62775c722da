/* SPDX-License-Identifier: BSD-3-Clause */
/* What commands do to a store, what they refuse, and what a collection keeps. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/memory.h"
#include "little_store.h"
#include "test.h"

enum { BYTES = 3000, MOST = 16 };

static int current(const char *folder, const char *name)
{
    return little_current(folder, name, MOST, BYTES);
}

/* Whether the report is one fault that has these words. */
static bool says(struct base_report *report, const char *words)
{
    bool said = report->count > 0 && strstr(report->message[report->count - 1], words);
    if (!said)
        base_report_print(report, stderr);
    base_report_release(report);
    return said;
}

static void names_go_forward_and_back(void)
{
    char *folder = little_store_folder();
    struct base_report report = {0};
    struct store_check found;
    CU_ASSERT_TRUE(little_add(folder, "m/canary", 1, BYTES, NULL));
    CU_ASSERT_TRUE(little_promote(folder, "m/canary", "m/stable", NULL));
    CU_ASSERT_TRUE(little_add(folder, "m/canary", 2, BYTES, NULL));
    CU_ASSERT_EQUAL(current(folder, "m/stable"), 1);
    CU_ASSERT_TRUE(little_promote(folder, "m/canary", "m/stable", NULL));
    CU_ASSERT_EQUAL(current(folder, "m/stable"), 2);
    CU_ASSERT_TRUE(little_rollback(folder, "m/stable", NULL));
    CU_ASSERT_EQUAL(current(folder, "m/stable"), 1);
    CU_ASSERT_EQUAL(current(folder, "m/canary"), 2);
    CU_ASSERT_FALSE(little_rollback(folder, "m/stable", &report));
    CU_ASSERT_TRUE(says(&report, "was at no other artifact before"));
    CU_ASSERT_TRUE(little_verify(folder, &found, NULL));
    CU_ASSERT_EQUAL(found.names, 2);
    CU_ASSERT_EQUAL(found.entries, 5);
    CU_ASSERT_EQUAL(found.artifacts, 2);
    little_store_remove(folder);
}

static void what_is_there_already_changes_nothing(void)
{
    char *folder = little_store_folder();
    struct store_check found;
    for (int n = 0; n < 3; n++)
        CU_ASSERT_TRUE(little_add(folder, "m/stable", 1, BYTES, NULL));
    CU_ASSERT_TRUE(little_promote(folder, "m/stable", "m/stable", NULL));
    CU_ASSERT_TRUE(little_verify(folder, &found, NULL));
    CU_ASSERT_EQUAL(found.entries, 1);
    little_store_remove(folder);
}

static void unknown_things_are_refused(void)
{
    char *folder = little_store_folder();
    struct base_report report = {0};
    struct store_check found;
    CU_ASSERT_FALSE(little_verify(folder, &found, &report));
    CU_ASSERT_TRUE(says(&report, "is not a store"));
    CU_ASSERT_TRUE(little_add(folder, "m/stable", 1, BYTES, NULL));
    CU_ASSERT_FALSE(little_promote(folder, "m/canary", "m/stable", &report));
    CU_ASSERT_TRUE(says(&report, "has no name m/canary"));
    CU_ASSERT_FALSE(little_promote(folder, "0123456789", "m/stable", &report));
    CU_ASSERT_TRUE(says(&report, "has no artifact 0123456789"));
    CU_ASSERT_FALSE(little_rollback(folder, "m/canary", &report));
    CU_ASSERT_TRUE(says(&report, "has no name m/canary"));
    CU_ASSERT_FALSE(little_remove(folder, "m/canary", &report));
    CU_ASSERT_TRUE(says(&report, "has no name m/canary"));
    little_store_remove(folder);
}

static void the_beginning_of_a_digest_is_enough(void)
{
    char *folder = little_store_folder(), digest[STORE_DIGEST_BYTES];
    CU_ASSERT_TRUE(little_add(folder, "m/canary", 1, BYTES, NULL));
    little_digest(1, BYTES, digest);
    digest[STORE_PREFIX_DIGITS] = '\0';
    CU_ASSERT_TRUE(little_promote(folder, digest, "m/stable", NULL));
    CU_ASSERT_EQUAL(current(folder, "m/stable"), 1);
    little_store_remove(folder);
}

static void folders_of_others_do_not_become_stores(void)
{
    char *folder = little_store_folder(), *path = base_format("%s/notes", folder);
    struct base_report report = {0};
    fclose(fopen(path, "w"));
    CU_ASSERT_FALSE(little_add(folder, "m/stable", 1, BYTES, &report));
    CU_ASSERT_TRUE(says(&report, "is not a store, and not empty"));
    CU_ASSERT_FALSE(little_add("no/such/folder", "m/stable", 1, BYTES, &report));
    CU_ASSERT_TRUE(says(&report, "the folder above must exist"));
    base_free(path);
    path = base_format("%s/store", folder);
    FILE *stream = fopen(path, "w");
    fputs("mine", stream);
    fclose(stream);
    CU_ASSERT_FALSE(little_add(folder, "m/stable", 1, BYTES, &report));
    CU_ASSERT_TRUE(says(&report, "is not this program's"));
    base_free(path);
    little_store_remove(folder);
}

static void a_locked_store_is_said_to_be_in_use(void)
{
    char *folder = little_store_folder(), *path = base_format("%s/store", folder);
    struct base_report report = {0};
    CU_ASSERT_TRUE(little_add(folder, "m/stable", 1, BYTES, NULL));
    int descriptor = open(path, O_RDWR);
    CU_ASSERT_EQUAL(flock(descriptor, LOCK_SH), 0);
    store_close(store_open(folder, STORE_READ, 0, &report));
    CU_ASSERT_TRUE(base_report_is_clean(&report));
    CU_ASSERT_PTR_NULL(store_open(folder, STORE_WRITE, 0, &report));
    CU_ASSERT_TRUE(says(&report, "is in use by another command; waited 0 s"));
    CU_ASSERT_EQUAL(flock(descriptor, LOCK_EX), 0);
    CU_ASSERT_PTR_NULL(store_open(folder, STORE_READ, 1, &report));
    CU_ASSERT_TRUE(says(&report, "is in use by another command; waited 1 s"));
    close(descriptor);
    CU_ASSERT_TRUE(little_rollback(folder, "m/stable", NULL) == false);
    base_free(path);
    little_store_remove(folder);
}

/* Artifacts 1 to 5 one after the other. */
static char *five_steps(void)
{
    char *folder = little_store_folder();
    for (int n = 1; n <= 5; n++)
        CU_ASSERT_TRUE(little_add(folder, "m/stable", n, BYTES, NULL));
    return folder;
}

static void a_collection_keeps_the_newest(void)
{
    char *folder = five_steps();
    struct store_collection found;
    struct store_check check;
    struct base_report report = {0};
    CU_ASSERT_TRUE(little_promote(folder, "m/stable", "m/other", NULL));
    CU_ASSERT_TRUE(little_collect(folder, 5, &found, NULL));
    CU_ASSERT_EQUAL(found.deleted.count, 0);
    CU_ASSERT_EQUAL(found.kept, 5);
    CU_ASSERT_EQUAL(found.released, 0);
    store_collection_release(&found);
    CU_ASSERT_TRUE(little_collect(folder, 2, &found, NULL));
    CU_ASSERT_EQUAL(found.deleted.count, 3);
    CU_ASSERT_EQUAL(found.kept, 2);
    CU_ASSERT_EQUAL(found.released, 3);
    store_collection_release(&found);
    CU_ASSERT_TRUE(little_verify(folder, &check, NULL));
    CU_ASSERT_EQUAL(check.entries, 6);
    CU_ASSERT_EQUAL(check.artifacts, 2);
    CU_ASSERT_TRUE(little_rollback(folder, "m/stable", NULL));
    CU_ASSERT_EQUAL(current(folder, "m/stable"), 4);
    CU_ASSERT_FALSE(little_rollback(folder, "m/stable", &report));
    CU_ASSERT_TRUE(says(&report, "gc keeps artifacts of the newest entries alone"));
    CU_ASSERT_EQUAL(current(folder, "m/stable"), 4);
    little_store_remove(folder);
}

static void a_removed_name_keeps_nothing(void)
{
    char *folder = five_steps();
    struct store_collection found;
    struct store_check check;
    CU_ASSERT_TRUE(little_promote(folder, "m/stable", "m/other", NULL));
    CU_ASSERT_TRUE(little_remove(folder, "m/stable", NULL));
    CU_ASSERT_EQUAL(current(folder, "m/stable"), -1);
    CU_ASSERT_TRUE(little_verify(folder, &check, NULL));
    CU_ASSERT_EQUAL(check.idle, 4);
    CU_ASSERT_TRUE(little_collect(folder, 10, &found, NULL));
    CU_ASSERT_EQUAL(found.deleted.count, 4);
    store_collection_release(&found);
    CU_ASSERT_EQUAL(current(folder, "m/other"), 5);
    little_store_remove(folder);
}

/* Turns one bit of a file. */
static void damage(const char *folder, const char *file, long at)
{
    char *path = base_format("%s/%s", folder, file);
    FILE *stream = fopen(path, "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    fseek(stream, at, SEEK_SET);
    int c = fgetc(stream);
    fseek(stream, at, SEEK_SET);
    fputc(c ^ 4, stream);
    fclose(stream);
    base_free(path);
}

static void a_damaged_name_stops_what_needs_it(void)
{
    char *folder = five_steps();
    struct base_report report = {0};
    struct store_check check;
    struct store_collection found;
    CU_ASSERT_TRUE(little_promote(folder, "m/stable", "m/other", NULL));
    damage(folder, "names/m+stable.name", 99);
    CU_ASSERT_FALSE(little_add(folder, "m/stable", 6, BYTES, &report));
    CU_ASSERT_TRUE(says(&report, "altered: its digest differs"));
    CU_ASSERT_FALSE(little_promote(folder, "m/stable", "m/other", &report));
    CU_ASSERT_TRUE(says(&report, "altered: its digest differs"));
    CU_ASSERT_FALSE(little_rollback(folder, "m/stable", &report));
    CU_ASSERT_TRUE(says(&report, "altered: its digest differs"));
    CU_ASSERT_FALSE(little_collect(folder, 1, &found, &report));
    CU_ASSERT_TRUE(says(&report, "altered: its digest differs"));
    CU_ASSERT_EQUAL(found.deleted.count, 0);
    store_collection_release(&found);
    CU_ASSERT_FALSE(little_verify(folder, &check, &report));
    CU_ASSERT_TRUE(says(&report, "altered: its digest differs"));
    CU_ASSERT_EQUAL(current(folder, "m/other"), 5);
    little_store_remove(folder);
}

static void a_damaged_artifact_is_neither_promoted_nor_kept_silent(void)
{
    char *folder = five_steps(), digest[STORE_DIGEST_BYTES];
    struct base_report report = {0};
    struct store_check check;
    little_digest(5, BYTES, digest);
    char *file = base_format("artifacts/%s", digest);
    damage(folder, file, 2000);
    CU_ASSERT_FALSE(little_promote(folder, "m/stable", "m/other", &report));
    CU_ASSERT_TRUE(says(&report, "digest differs"));
    CU_ASSERT_EQUAL(current(folder, "m/other"), -1);
    CU_ASSERT_FALSE(little_verify(folder, &check, &report));
    CU_ASSERT_TRUE(says(&report, "digest differs"));
    CU_ASSERT_TRUE(little_add(folder, "m/other", 5, BYTES, NULL));
    CU_ASSERT_TRUE(little_verify(folder, &check, NULL));
    base_free(file);
    little_store_remove(folder);
}

static void a_name_that_lost_its_artifact_is_found(void)
{
    char *folder = five_steps(), digest[STORE_DIGEST_BYTES];
    struct base_report report = {0};
    struct store_check check;
    little_digest(3, BYTES, digest);
    char *path = base_format("%s/artifacts/%s", folder, digest);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_FALSE(little_verify(folder, &check, &report));
    CU_ASSERT_TRUE(says(&report, "is missing"));
    base_free(path);
    little_store_remove(folder);
}

TEST_MAIN("commands", TEST(names_go_forward_and_back), TEST(what_is_there_already_changes_nothing),
          TEST(unknown_things_are_refused), TEST(the_beginning_of_a_digest_is_enough),
          TEST(folders_of_others_do_not_become_stores), TEST(a_locked_store_is_said_to_be_in_use),
          TEST(a_collection_keeps_the_newest), TEST(a_removed_name_keeps_nothing),
          TEST(a_damaged_name_stops_what_needs_it),
          TEST(a_damaged_artifact_is_neither_promoted_nor_kept_silent),
          TEST(a_name_that_lost_its_artifact_is_found))
