/* SPDX-License-Identifier: BSD-3-Clause */
/* docs/reference.md is what the option table says; "test_config_reference --write" renews it. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "config/option.h"

static char *text_of(void (*write)(FILE *stream))
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    write(stream);
    fclose(stream);
    return text;
}

static char *file_text(const char *name)
{
    char *path = test_source_path(name), *text = NULL;
    size_t bytes = 0;
    FILE *file = fopen(path, "r"), *stream = open_memstream(&text, &bytes);
    for (int c; file && (c = fgetc(file)) != EOF;)
        fputc(c, stream);
    if (file)
        fclose(file);
    fclose(stream);
    free(path);
    return text;
}

static void the_reference_page_is_up_to_date(void)
{
    char *page = file_text("docs/reference.md"), *table = text_of(config_reference_write);
    CU_ASSERT_STRING_EQUAL(page, table);
    if (strcmp(page, table) != 0)
        fputs("docs/reference.md is stale: run test_config_reference --write\n", stderr);
    free(page);
    free(table);
}

static void help_and_reference_name_every_key(void)
{
    char *help = text_of(config_help_print), *page = text_of(config_reference_write);
    for (size_t i = 0; i < option_count; i++) {
        char *in_help = base_format("  %s\n", option_table[i].key);
        char *in_page = base_format("| `%s` |", option_table[i].key);
        CU_ASSERT_PTR_NOT_NULL(strstr(help, in_help));
        CU_ASSERT_PTR_NOT_NULL(strstr(page, in_page));
        base_free(in_help);
        base_free(in_page);
    }
    free(help);
    free(page);
}

static int reference_renew(void)
{
    char *path = test_source_path("docs/reference.md");
    FILE *file = fopen(path, "w");
    if (file)
        config_reference_write(file);
    bool failed = !file || fclose(file) != 0;
    if (failed)
        perror(path);
    free(path);
    return failed;
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {TEST(the_reference_page_is_up_to_date),
                                             TEST(help_and_reference_name_every_key)};
    if (argc == 2 && strcmp(argv[1], "--write") == 0)
        return reference_renew();
    return test_run("reference", cases, sizeof cases / sizeof cases[0]);
}
