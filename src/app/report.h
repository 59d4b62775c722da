/* SPDX-License-Identifier: BSD-3-Clause */
/* lpusim-mp report: the file of a run as one HTML page with inline SVG. */
#ifndef APP_REPORT_H
#define APP_REPORT_H

#include "app/scan.h"
#include "app/svg.h"

/* A page that is being written. */
struct app_page {
    FILE *out;
    const struct record_reader *reader;
    struct base_report *report;
};

void app_page_section(const struct app_page *page, const char *title, const char *text);

/* Each writes a section; none where the file has nothing for it. */
void app_report_figures(const struct app_page *page);
void app_report_timeline(const struct app_page *page);
void app_report_intervals(const struct app_page *page);
void app_report_shares(const struct app_page *page);
void app_report_memory(const struct app_page *page);
void app_report_links(const struct app_page *page);
void app_report_requests(const struct app_page *page);
void app_report_frontier(const struct app_page *page);

/* Answers the words behind "report". Not collective: call it on one rank. Returns the status of the
 * process. */
enum base_status app_report_answer(int argc, char **argv);

#endif
