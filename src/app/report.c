/* SPDX-License-Identifier: BSD-3-Clause */
/* The page around the sections of a report. */
#include "app/report.h"

#include <string.h>

#include "app/run_file.h"
#include "app/text.h"
#include "base/memory.h"

static const char style[] =
    ":root{--ink:#1d2429;--soft:#5c6871;--line:#dfe4e8;--page:#fff;--card:#f6f8f9;--lpu:#0b6e74;"
    "--gpu:#c8553d;--a:#30638e;--b:#e0a02f;--c:#7fa86c;--d:#d1495b;--e:#7d5ba6;--f:#aab2b8;--g:#"
    "2a9d8f;--h:#8a5a44;--i:#c77dbb}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6eaed;--soft:#9aa6ae;--line:#333c43;"
    "--page:#14191d;--card:#1c2328;--lpu:#3fb3ba;--gpu:#ee8166;--a:#5b9bd0;--b:#edb950;--c:#9cc588;"
    "--d:#ec7182;--e:#a888d0;--f:#78828a;--g:#4cc4b5;--h:#b88268;--i:#dca0d2}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);"
    "max-width:1120px;margin:0 auto;padding:24px 20px 60px}\n"
    "h1{font-size:26px;margin:0}h2{font-size:19px;margin:40px 0 4px}h3{font-size:15px;margin:16px "
    "0 "
    "2px}p{margin:4px 0 10px;color:var(--soft);max-width:52em}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:4px 18px 4px 0;"
    "text-align:right;border-bottom:1px solid var(--line)}th:first-child,td:first-child{text-align:"
    "left}\n"
    "pre{background:var(--card);padding:14px;overflow-x:auto;font-size:12.5px;line-height:1.4}\n"
    "svg{width:100%;height:auto;font-size:12.5px}text{fill:var(--soft)}.grid{stroke:var(--line);"
    "fill:none}.axis{stroke:var(--soft);fill:none}path.line{fill:none!important;stroke-width:2}\n"
    ".legend{margin:0 0 8px;font-size:13px}.legend span{margin-right:18px;white-space:nowrap}"
    ".legend i{display:inline-block;width:11px;height:11px;margin-right:6px;border-radius:2px}\n"
    ".lpu{fill:var(--lpu);background:var(--lpu)}.gpu{fill:var(--gpu);background:var(--gpu)}"
    "path.lpu{stroke:var(--lpu)}path.gpu{stroke:var(--gpu)}\n"
    ".a{fill:var(--a);background:var(--a)}.b{fill:var(--b);background:var(--b)}.c{fill:var(--c);"
    "background:var(--c)}.d{fill:var(--d);background:var(--d)}.e{fill:var(--e);background:var(--e)}"
    ".f{fill:var(--f);background:var(--f)}.g{fill:var(--g);background:var(--g)}.h{fill:var(--h);"
    "background:var(--h)}.i{fill:var(--i);background:var(--i)}\n"
    "@media print{body{font-size:11px}figure,svg,table{break-inside:avoid}pre{white-space:pre-wrap}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

void app_page_section(const struct app_page *page, const char *title, const char *text)
{
    fprintf(page->out, "<h2>%s</h2>\n<p>%s</p>\n", title, text);
}

static void attribute_write(const struct app_page *page, const char *group, const char *name,
                            const char *tag)
{
    char *text = record_reader_text(page->reader, group, name);
    if (text && *text) {
        fprintf(page->out, "<%s>", tag);
        app_html_text(page->out, text);
        fprintf(page->out, "</%s>\n", tag);
    }
    base_free(text);
}

static void head_write(const struct app_page *page)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
          "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>lpusim-mp report</title>\n"
          "<style>\n",
          page->out);
    fputs(style, page->out);
    fputs("</style>\n</head>\n<body>\n", page->out);
    attribute_write(page, "/model", "name", "h1");
    attribute_write(page, "/run", "command_line", "p");
    int64_t complete = 0;
    if (record_reader_i64(page->reader, "/", "complete", &complete) && !complete) {
        fputs("<p><b>The run did not reach its end:</b></p>\n", page->out);
        attribute_write(page, "/", "progress", "p");
    }
}

static void tail_write(const struct app_page *page)
{
    char *summary = record_reader_text(page->reader, "/run", "summary");
    if (summary && *summary)
        app_page_section(page, "Summary", "As the run printed it at its end.");
    base_free(summary);
    attribute_write(page, "/run", "summary", "pre");
    app_page_section(page, "Origin", "Version, state of the sources and start of the run.");
    attribute_write(page, "/run", "program_version", "p");
    attribute_write(page, "/run", "source_state", "p");
    attribute_write(page, "/run", "start_time", "p");
    fputs("</body>\n</html>\n", page->out);
}

static void help_print(void)
{
    puts("usage: lpusim-mp report X.h5 -o R.html\n\n"
         "Writes the file of a run as one page: figures, a decode step of both machines, times\n"
         "between tokens, where the time goes, memory, links, requests and rates, as far as the\n"
         "file has them. The page needs no network and no scripts.\n\n"
         "exit status: 0 done, 2 usage or another kind of file, 5 a file cannot be written");
}

static void page_write(const struct app_page *page)
{
    head_write(page);
    app_report_figures(page);
    app_report_timeline(page);
    app_report_intervals(page);
    app_report_shares(page);
    app_report_memory(page);
    app_report_links(page);
    app_report_requests(page);
    app_report_frontier(page);
    tail_write(page);
}

static enum base_status answer(const char *file, const char *output, struct base_report *report)
{
    struct record_reader *reader = app_run_file_open(file, report);
    if (!reader)
        return BASE_USAGE;
    FILE *out = app_output_open(output, file, report);
    struct app_page page = {out, reader, report};
    if (out) {
        page_write(&page);
        int64_t bytes = app_output_close(out, output, report);
        if (base_report_is_clean(report))
            printf("%s: %s bytes\n", output, app_text_count(bytes).text);
    }
    record_reader_close(reader);
    return BASE_IO;
}

enum base_status app_report_answer(int argc, char **argv)
{
    struct base_report report = {0};
    const char *file = NULL, *output = NULL;
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--help")) {
            help_print();
            return BASE_OK;
        }
        if (!strcmp(argv[i], "-o") && i + 1 < argc)
            output = argv[++i];
        else if (argv[i][0] != '-' && !file)
            file = argv[i];
        else
            base_report_add(&report, NULL, 0, "report: %s is one word too many; see report --help",
                            argv[i]);
    }
    if (!file || !output)
        base_report_add(&report, NULL, 0,
                        "report: what is wanted: lpusim-mp report rack.h5 -o rack.html");
    enum base_status status =
        base_report_is_clean(&report) ? answer(file, output, &report) : BASE_USAGE;
    bool clean = base_report_is_clean(&report);
    base_report_print(&report, stderr);
    base_report_release(&report);
    return clean ? BASE_OK : status;
}
