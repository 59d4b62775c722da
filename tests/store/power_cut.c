/* SPDX-License-Identifier: BSD-3-Clause */
/* What a disk may hold when the power is cut at any moment: of each file what was last flushed, or
 * nothing; of each folder the entries that were last flushed, with any of the changes since.
 * Whatever it holds, names are where a command found or left them, and artifacts whole; and once a
 * command is done, names are where it left them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "interpose.h"
#include "story.h"
#include "test.h"

enum { TOP, NAMES, ARTIFACTS, FOLDERS };
enum { NONE = -1, A_FOLDER = -2, MOST_ENTRIES = 64 };

/* A file that was ever created, and what of it is on the disk. */
struct node {
    ino_t inode;
    char *bytes; /* NULL: not flushed */
    size_t count;
};

/* The entries of a folder. */
struct listing {
    char name[MOST_ENTRIES][96];
    int node[MOST_ENTRIES]; /* or A_FOLDER */
    int entries;
};

/* An entry that is another on the disk than to the programs that run. */
struct change {
    int folder, before, now; /* nodes, NONE: no such entry */
    const char *name;
};

static char *folder; /* of the store */
static char *image;  /* of what its disk may hold */
static struct node *node;
static size_t nodes, capacity;
static struct listing flushed[FOLDERS];
static int before, after; /* how many commands are done, by what may be there and by what should */
static bool acknowledged; /* nothing but `after` may be there */
static bool known;        /* the disk was looked at in this state */
static size_t images;

static char *path_of(const char *root, int n)
{
    static const char *const below[FOLDERS] = {"", "/names", "/artifacts"};
    return base_format("%s%s", root, below[n]);
}

static int node_of(ino_t inode)
{
    for (size_t n = nodes; n-- > 0;)
        if (node[n].inode == inode)
            return (int)n;
    return NONE;
}

/* What programs see in a folder. */
static void look(int n, struct listing *listing)
{
    struct store_list files = {0};
    char *path = path_of(folder, n);
    store_disk_list(path, &files);
    listing->entries = (int)files.count;
    for (size_t i = 0; i < files.count && i < MOST_ENTRIES; i++) {
        struct stat status;
        char *file = base_format("%s/%s", path, files.text[i]);
        snprintf(listing->name[i], sizeof listing->name[i], "%s", files.text[i]);
        listing->node[i] = stat(file, &status) != 0  ? NONE
                           : S_ISDIR(status.st_mode) ? A_FOLDER
                                                     : node_of(status.st_ino);
        base_free(file);
    }
    store_list_release(&files);
    base_free(path);
}

static int entry_of(const struct listing *listing, const char *name)
{
    for (int i = 0; i < listing->entries; i++)
        if (!strcmp(listing->name[i], name))
            return listing->node[i];
    return NONE;
}

static void file_flushed(int descriptor, const struct stat *status)
{
    char *path = base_format("/proc/self/fd/%d", descriptor);
    int n = node_of(status->st_ino);
    CU_ASSERT_FATAL(n >= 0);
    base_free(node[n].bytes);
    node[n].bytes = store_disk_read(path, &node[n].count);
    base_free(path);
}

static void folder_flushed(const struct stat *status)
{
    for (int n = 0; n < FOLDERS; n++) {
        struct stat own;
        char *path = path_of(folder, n);
        if (stat(path, &own) == 0 && own.st_ino == status->st_ino)
            look(n, &flushed[n]);
        base_free(path);
    }
}

/* Adds entries that differ between disk and programs. */
static int changes_of(int n, const struct listing *now, struct change *change, int changes)
{
    for (int i = 0; i < flushed[n].entries; i++) {
        const char *name = flushed[n].name[i];
        int current = entry_of(now, name);
        if (current != flushed[n].node[i])
            change[changes++] = (struct change){n, flushed[n].node[i], current, name};
    }
    for (int i = 0; i < now->entries; i++)
        if (entry_of(&flushed[n], now->name[i]) == NONE)
            change[changes++] = (struct change){n, NONE, now->node[i], now->name[i]};
    return changes;
}

/* A file of an image, or a folder of it. */
static void put(const char *root, int n, const char *name, int number)
{
    char *parent = path_of(root, n), *path = base_format("%s/%s", parent, name);
    if (number == A_FOLDER) {
        mkdir(path, 0777);
    } else if (number >= 0) {
        FILE *stream = fopen(path, "wb");
        if (stream && node[number].bytes)
            fwrite(node[number].bytes, 1, node[number].count, stream);
        if (stream)
            fclose(stream);
    }
    base_free(parent);
    base_free(path);
}

static void take_away(const char *root, int n, const char *name)
{
    char *parent = path_of(root, n), *path = base_format("%s/%s", parent, name);
    if (unlink(path) != 0)
        rmdir(path);
    base_free(parent);
    base_free(path);
}

/* Of all changes none (0), all (1), one alone, or all but one. */
static bool is_made(int variant, int change, int changes)
{
    if (variant < 2)
        return variant == 1;
    return variant < 2 + changes ? change == variant - 2 : change != variant - 2 - changes;
}

/* Removes the files of the image before, and folders that are not on the disk. */
static void image_clear(const char *root)
{
    for (int n = FOLDERS; n-- > 0;) {
        struct store_list files = {0};
        char *path = path_of(root, n);
        store_disk_list(path, &files);
        for (size_t i = 0; i < files.count; i++)
            if (n != TOP || entry_of(&flushed[TOP], files.text[i]) != A_FOLDER)
                take_away(root, n, files.text[i]);
        store_list_release(&files);
        base_free(path);
    }
}

static void image_make(const char *root, const struct change *change, int changes, int variant)
{
    image_clear(root);
    for (int n = 0; n < FOLDERS; n++)
        for (int i = 0; i < flushed[n].entries; i++)
            put(root, n, flushed[n].name[i], flushed[n].node[i]);
    for (int i = 0; i < changes; i++)
        if (is_made(variant, i, changes)) {
            take_away(root, change[i].folder, change[i].name);
            put(root, change[i].folder, change[i].name, change[i].now);
        }
}

static bool names_are(const char *root, int done)
{
    bool right = true;
    for (int name = 0; name < STORY_NAMES; name++)
        right = right && little_current(root, story_name[name], STORY_NUMBERS, STORY_BYTES) ==
                             story_at(done, name);
    return right;
}

/* Before the first command is done there may be no store yet; then it can be made. */
static bool image_is_right(const char *root)
{
    struct base_report report = {0};
    struct store_check found;
    bool whole = little_verify(root, &found, &report);
    if (!whole && before == 0 && !acknowledged && story_tell(root, 0, NULL))
        whole = names_are(root, 1);
    else
        whole = whole && (names_are(root, after) || (!acknowledged && names_are(root, before)));
    if (!whole)
        base_report_print(&report, stderr);
    base_report_release(&report);
    return whole;
}

static void cut_power(void)
{
    if (known)
        return;
    known = true;
    struct listing now[FOLDERS];
    struct change change[FOLDERS * MOST_ENTRIES];
    int changes = 0;
    for (int n = 0; n < FOLDERS; n++) {
        look(n, &now[n]);
        changes = changes_of(n, &now[n], change, changes);
    }
    for (int variant = 0; variant < (changes ? 2 + 2 * changes : 1); variant++) {
        image_make(image, change, changes, variant);
        CU_ASSERT_TRUE(image_is_right(image));
        images++;
    }
}

static int calls, killed_at; /* from this call on nothing happens any more */
static bool watched;         /* the power may be cut */
static const struct interpose_hooks watching;

static int before_call(enum interpose_kind kind)
{
    (void)kind;
    if (calls++ >= killed_at)
        return EIO;
    interpose_begin(NULL);
    if (watched)
        cut_power();
    interpose_begin(&watching);
    return 0;
}

static void after_call(enum interpose_kind kind, int descriptor)
{
    struct stat status;
    interpose_begin(NULL);
    known = known && kind == INTERPOSE_WRITE;
    if (descriptor >= 0 && kind != INTERPOSE_WRITE && fstat(descriptor, &status) == 0) {
        if (kind == INTERPOSE_CREATE) {
            node = base_grow(node, &capacity, nodes + 1, sizeof *node);
            node[nodes++] = (struct node){.inode = status.st_ino};
        } else if (S_ISDIR(status.st_mode)) {
            folder_flushed(&status);
        } else {
            file_flushed(descriptor, &status);
        }
    }
    interpose_begin(&watching);
}

static const struct interpose_hooks watching = {before_call, after_call, true};

/* What may be there from now on. */
static void expect(int at_least, int at_most, bool is_acknowledged)
{
    before = at_least;
    after = at_most;
    acknowledged = is_acknowledged;
    known = false;
}

/* A command of the story, killed at a call. Returns whether it was done. */
static bool tell(int n, int kill_at, bool watch)
{
    calls = 0;
    killed_at = kill_at;
    watched = watch;
    interpose_begin(&watching);
    bool done = story_tell(folder, n, NULL);
    interpose_begin(NULL);
    return done;
}

static void begin(void)
{
    folder = little_store_folder();
    image = little_store_folder();
    memset(flushed, 0, sizeof flushed);
    expect(0, 0, false);
}

static void end(void)
{
    for (size_t n = 0; n < nodes; n++)
        base_free(node[n].bytes);
    base_free(node);
    node = NULL;
    nodes = capacity = 0;
    little_store_remove(folder);
    little_store_remove(image);
}

static void a_command_that_is_done_stays_done(void)
{
    begin();
    for (int n = 0; n < story_length(); n++) {
        expect(n, n + 1, false);
        CU_ASSERT_TRUE(tell(n, 1000, true));
        expect(n, n + 1, true);
        cut_power();
    }
    end();
    printf("       %zu images of the disk\n", images);
}

static void collect(void)
{
    calls = 0;
    killed_at = 1000;
    watched = true;
    interpose_begin(&watching);
    little_collect(folder, 1, NULL, NULL);
    interpose_begin(NULL);
}

/* Command n killed at a call, and given again; in between everything may be collected. False where
 * it has no such call. */
static bool killed_and_cut(int n, int call, bool collected)
{
    begin();
    for (int i = 0; i < n; i++)
        tell(i, 1000, false);
    expect(n, n + 1, false);
    bool done = tell(n, call, false), had = calls > call;
    cut_power();
    if (collected)
        collect();
    if (tell(n, 1000, true) || done)
        expect(n, n + 1, true);
    cut_power();
    end();
    return had;
}

/* Every second place to kill at, in turn; with LPUSIM_LONG each. */
static void what_was_killed_is_taken_up_again(void)
{
    int kills = 0, step = test_is_long() ? 1 : 2;
    images = 0;
    for (int n = 0; n < story_length(); n++)
        for (int half = 0; half < 2; half++)
            for (int call = (n + half) % step; killed_and_cut(n, call, half); call += step)
                kills++;
    printf("       %d kills, %zu images of the disk\n", kills, images);
}

TEST_MAIN("power_cut", TEST(a_command_that_is_done_stays_done),
          TEST(what_was_killed_is_taken_up_again))
