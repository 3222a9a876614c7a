/* Ratings read from files and made of arrays, item titles, and the data sets made of them. */
#include "tests/io/temp.h"

#include <math.h>
#include <mica/ratings.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *file(const char *name, const char *text) {
    return temp_write(name, text, strlen(text));
}

/* Reads them, written to a file of that name. */
static const mica_ratings_info *read_text(const char *name, const char *text,
    const mica_ratings_options *options, mica_ratings **ratings) {
    ck_ok(mica_ratings_read(file(name, text), options, ratings));
    return mica_ratings_get_info(*ratings);
}

static void refuse(const char *text, const mica_ratings_options *options, const char *fragment) {
    mica_ratings *ratings = NULL;
    ck_refused(mica_ratings_read(file("bad", text), options, &ratings), MICA_E_FORMAT, fragment);
    ck_assert_msg(strstr(mica_last_error(), "/bad:"), "no file in: %s", mica_last_error());
    ck_assert_ptr_null(ratings);
}

/* u1 rates a 4 and b 2, u2 rates b 5: whatever the format. */
static void check_three(const mica_ratings *ratings, bool time) {
    const mica_ratings_info *info = mica_ratings_get_info(ratings);
    ck_assert_int_eq(info->count, 3);
    ck_assert_int_eq(info->users, 2);
    ck_assert_int_eq(info->items, 2);
    ck_assert_str_eq(info->user_ids[0], "u1");
    ck_assert_str_eq(info->user_ids[1], "u2");
    ck_assert_str_eq(info->item_ids[1], "b");
    ck_assert_int_eq(mica_ratings_user(ratings, "u2"), 1);
    ck_assert_int_eq(mica_ratings_user(ratings, "u3"), -1);
    ck_assert_int_eq(mica_ratings_item(ratings, "a"), 0);
    static const int32_t user[] = {0, 0, 1}, item[] = {0, 1, 1};
    static const float value[] = {4, 2, 5};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(info->user[i], user[i]);
        ck_assert_int_eq(info->item[i], item[i]);
        ck_assert_float_eq(info->value[i], value[i]);
        if (time)
            ck_assert_int_eq(info->time[i], 900000000 + i);
    }
    ck_assert(time == (info->time != NULL));
    ck_assert_float_eq(info->lowest, 2);
    ck_assert_float_eq(info->highest, 5);
    ck_assert_double_eq_tol(info->mean, 11.0 / 3, 1e-12);
    static const int64_t user_start[] = {0, 2, 3}, item_start[] = {0, 1, 3};
    static const int32_t users[] = {0, 0, 1}, items[] = {0, 1, 1};
    ck_assert_int_eq(info->by_user.rows, 2);
    ck_assert_mem_eq(info->by_user.start, user_start, sizeof user_start);
    ck_assert_mem_eq(info->by_user.other, items, sizeof items);
    ck_assert_mem_eq(info->by_user.value, value, sizeof value);
    ck_assert_mem_eq(info->by_item.start, item_start, sizeof item_start);
    ck_assert_mem_eq(info->by_item.other, users, sizeof users);
    ck_assert_mem_eq(info->by_item.value, value, sizeof value);
}

START_TEST(formats) {
    static const struct {
        mica_ratings_format format;
        bool time;
        const char *text;
    } cases[] = {
        {MICA_RATINGS_CSV, false, "u1,a,4\nu1,b,2\nu2,b,5\n"},
        {MICA_RATINGS_CSV, false,
            "\xef\xbb\xbfuserId,movieId,rating\r\nu1,a,4\r\n\r\nu1,b,2.0\r\nu2,b,5"},
        {MICA_RATINGS_CSV, true,
            "User ID,\"BOOK_ID\",stars,Time\n \"u1\" , a, 4 ,900000000\nu1,\"b\",2,900000001\n"
            "u2,b,5e0,900000002\n"},
        {MICA_RATINGS_TSV, true, "u1\ta\t4\t900000000\nu1\tb\t2\t900000001\nu2\tb\t5\t900000002\n"},
        {MICA_RATINGS_TSV, false, "user\titem\trating\nu1\ta\t4\nu1\tb\t2\nu2\tb\t5\n"},
        {MICA_RATINGS_MOVIELENS, true,
            "u1::a::4::900000000\nu1::b::2::900000001\nu2::b::5::900000002.5\n"},
    };
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        mica_ratings_options options = {.format = i % 2 ? cases[i / 2].format : MICA_RATINGS_AUTO};
        mica_ratings *ratings;
        read_text("ratings", cases[i / 2].text, &options, &ratings);
        check_three(ratings, cases[i / 2].time);
        mica_ratings_destroy(&ratings);
        ck_assert_ptr_null(ratings);
    }
    const char *text = cases[0].text;
    mica_ratings *ratings;
    ck_ok(mica_ratings_read(temp_gzip("ratings.gz", text, strlen(text)), NULL, &ratings));
    check_three(ratings, false);
    mica_ratings_destroy(&ratings);
    mica_ratings_destroy(&ratings);
}
END_TEST

/* The same three ratings however the columns are arranged and called. */
START_TEST(columns) {
    static const struct {
        const char *text, *note;
        const char *columns[4];
        bool time;
    } cases[] = {
        {"movieId,userId,rating,timestamp\na,u1,4,900000000\nb,u1,2,900000001\nb,u2,5,900000002\n",
            "columns: user 2 (userId), item 1 (movieId), rating 3 (rating), time 4 (timestamp)",
            .time = true},
        {"Title::ISBN::User-ID::Book-Rating\nA::a::u1::4\nB::b::u1::2\nB::b::u2::5\n",
            "columns: user 3 (User-ID), item 2 (ISBN), rating 4 (Book-Rating); not used: 1 (Title)"},
        {"score\tASIN\t uid \n4\ta\tu1\n2\tb\tu1\n5\tb\tu2\n",
            "columns: user 3 (uid), item 2 (ASIN), rating 1 (score)"},
        {"who,what,mark\nu1,a,4\nu1,b,2\nu2,b,5\n",
            "columns: user 1 (who), item 2 (what), rating 3 (mark)", {"who", "what", "mark"}},
        {"x,4,a,u1,y\nx,2,b,u1,y\nx,5,b,u2,z\n",
            "columns: user 4, item 3, rating 2; not used: 1, 5", {"4", "3", "2"}},
        {"user,user_name,item,rating\nu1,A,a,4\nu1,A,b,2\nu2,B,b,5\n",
            "columns: user 1 (user), item 3 (item), rating 4 (rating); not used: 2 (user_name)",
            {"user", "item", "4"}},
        {"user,item,rating\nu1,a,4\nu1,b,2\nu2,b,5\n", ""},
        {"u1,a,4\nu1,b,2\nu2,b,5\n", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mica_ratings_options options = {.columns = cases[i].columns};
        while (options.n_columns < 4 && cases[i].columns[options.n_columns])
            options.n_columns++;
        mica_ratings *ratings;
        const mica_ratings_info *info = read_text("ratings", cases[i].text, &options, &ratings);
        check_three(ratings, cases[i].time);
        if (*cases[i].note)
            ck_assert_str_eq(strstr(info->note, "columns: "), cases[i].note);
        else
            ck_assert_ptr_null(info->note);
        mica_ratings_destroy(&ratings);
    }
    refuse("who,what,mark\nu1,a,4\n", NULL,
        ":1: none of the column names is known as the user's: name the columns: data.columns:");
    refuse("user,what,mark\nu1,a,4\n", NULL, ":1: none of the column names is known as the item's");
    refuse("user,item,age\nu1,a,4\n", NULL, ":1: no column of ratings: wanted one called rating");
    refuse("user,book,isbn,rating\nu1,a,1,4\n", NULL,
        ":1: which column is the item, \"book\" or \"isbn\"? name them: data.columns:");
    refuse(
        "u1,a,4,1,x\n", NULL, ":1: wanted user, item, rating and perhaps the time, 3 to 4 fields");
    refuse("user,item,rating\nu1,a,0x4\n", NULL, ":2: field 3 is the rating: wanted a number");
    refuse("u1,a,nan\nu2,b,4\n", NULL, ":1: field 3 is the rating: wanted a number, came \"nan\"");
    refuse("rating,user,item\n4 stars,u1,a\n", NULL, ":2: field 1 is the rating: wanted a number");
    mica_ratings *ratings;
    const char *const wrong[] = {"1", "5", "3"}, *const same[] = {"1", "user", "3"};
    const char *path = file("bad", "user,item,rating\nu1,a,4\n");
    ck_refused(mica_ratings_read(
                   path, &(mica_ratings_options){.columns = wrong, .n_columns = 3}, &ratings),
        MICA_E_INVALID,
        "bad:1: no column is called 5: wanted a name of the first line or a number");
    ck_refused(
        mica_ratings_read(path, &(mica_ratings_options){.columns = same, .n_columns = 3}, &ratings),
        MICA_E_INVALID, "bad:1: column user is named for the user and the item");
}
END_TEST

START_TEST(reads_ids) {
    mica_ratings *ratings;
    const mica_ratings_info *info = read_text("ids",
        "Zo\xc3\xab van Dyk,\"Caf\xc3\xa9, the \"\"best\"\"\",3\n007,\xe6\x98\xa0\xe7\x94\xbb,-1\n"
        "7,\xe6\x98\xa0\xe7\x94\xbb,1e3\n",
        NULL, &ratings);
    ck_assert_int_eq(info->users, 3); /* ids are texts: 007 is not 7 */
    ck_assert_int_eq(mica_ratings_user(ratings, "Zo\xc3\xab van Dyk"), 0);
    ck_assert_int_eq(mica_ratings_item(ratings, "Caf\xc3\xa9, the \"best\""), 0);
    ck_assert_int_eq(mica_ratings_item(ratings, "\xe6\x98\xa0\xe7\x94\xbb"), 1);
    ck_assert_float_eq(info->lowest, -1);
    ck_assert_float_eq(info->highest, 1000);
    mica_ratings_destroy(&ratings);

    enum { MANY = 3000 };
    char *text = malloc(MANY * 32), *at = text;
    for (int i = 0; i < MANY; i++)
        at += sprintf(at, "user%d,item%d,%d\n", i / 3, i % 1000, i % 5);
    info = read_text("many", text, NULL, &ratings);
    free(text);
    ck_assert_int_eq(info->users, 1000);
    ck_assert_int_eq(info->items, 1000);
    for (int i = 0; i < 1000; i++) {
        char id[16];
        sprintf(id, "user%d", i);
        ck_assert_int_eq(mica_ratings_user(ratings, id), i);
        ck_assert_str_eq(info->user_ids[i], id);
    }
    mica_ratings_destroy(&ratings);
}
END_TEST

START_TEST(reads_implicit) {
    mica_ratings_options options = {.implicit = true};
    mica_ratings *ratings;
    const mica_ratings_info *info =
        read_text("pairs", "user_id,item_id\nu1,a\nu1,b\nu2,b\nu1,a\n", &options, &ratings);
    ck_assert_int_eq(info->count, 3); /* the pair that is there twice counts once */
    ck_assert_ptr_nonnull(
        strstr(info->note, "; 1 line left out: a user and an item that came before"));
    ck_assert(info->implicit);
    ck_assert_float_eq(info->value[2], 1);
    ck_assert_float_eq(info->lowest, 1);
    ck_assert_float_eq(info->highest, 1);
    mica_ratings_destroy(&ratings);

    options.at_least = 4;
    options.lowest = 1;
    options.highest = 5;
    info = read_text("values", "u0,a,3\nu1,a,4\nu1,c,1\nu1,b,5\nu2,b,4.5\n", &options, &ratings);
    ck_assert_int_eq(info->count, 3);
    ck_assert_int_eq(info->users, 2); /* u0 and c are only in lines that are left out */
    ck_assert_int_eq(info->items, 2);
    ck_assert_int_eq(mica_ratings_user(ratings, "u0"), -1);
    ck_assert_float_eq(info->value[0], 1);
    ck_assert_float_eq(info->highest, 1);
    mica_ratings_destroy(&ratings);
    refuse("u1,a,9\n", &options, ":1: the rating 9 is out of range: wanted 1 to 5");
    options.at_least = 5;
    refuse("u1,a,4\nu2,b,3\n", &options, "no value is at least 5");
    ck_refused(
        mica_ratings_read(file("x", "u1,a,4\n"), &(mica_ratings_options){.at_least = 1}, &ratings),
        MICA_E_INVALID, "at_least 1 is for implicit ratings");
}
END_TEST

START_TEST(titles) {
    static const char text[] = "1\t10\t4\n2\t20\t3\n2\t30\t3\n";
    static const char *const files[] = {
        "movieId,title,genres\n10,\"American President, The (1995)\",Comedy|Drama\n20,Am\xc3\xa9lie\n99,x\n",
        "10|American President, The (1995)|01-Jan-1995||http://us.imdb.com/M|0|1\n20|Am\xe9lie|||\n",
        "10::American President, The (1995)::Comedy|Drama\n20::Am\xc3\xa9lie::Comedy\n",
        "10\tAmerican President, The (1995)\n20\tAm\xe9lie\n",
        "genre,Title,Movie ID\nComedy,\"American President, The (1995)\",10\nx,Am\xc3\xa9lie,20\n",
        "name::id\nAmerican President, The (1995)::10\nAm\xc3\xa9lie::20\n",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        mica_ratings_options options = {.titles = file("titles", files[i])};
        mica_ratings *ratings;
        const mica_ratings_info *info = read_text("u.data", text, &options, &ratings);
        ck_assert_str_eq(info->titles[0], "American President, The (1995)");
        ck_assert_str_eq(info->titles[1], "Am\xc3\xa9lie");
        ck_assert_ptr_null(info->titles[2]);
        ck_assert_ptr_nonnull(strstr(info->note, ": 2 of 3 items have a title in "));
        mica_ratings_destroy(&ratings);
    }
    static const struct {
        const char *text, *fragment;
    } bad[] = {
        {"10,A\n20,B\n10,C\n", "titles:3: item \"10\" has a title already: \"A\""},
        {"10 A\n", "titles:1: wanted an item's id and its title with a comma"},
        {"10,A\n20\n", "titles:2: wanted an item's id and its title, came one field"},
        {"10,\"A\n", "titles:1: wanted an item's id and its title, came a quote"},
        {"title,id\nA\n", "titles:2: wanted an item's id and its title, came one field"},
        {"id,title\n11,A\n", "none of its titles is of an item that was rated"},
        {"", "none of its titles"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mica_ratings_options options = {.titles = file("titles", bad[i].text)};
        mica_ratings *ratings = NULL;
        ck_refused(mica_ratings_read(file("u.data", text), &options, &ratings), MICA_E_FORMAT,
            bad[i].fragment);
        ck_assert_ptr_null(ratings);
    }
    mica_ratings *ratings = NULL;
    ck_refused(mica_ratings_read(file("u.data", text),
                   &(mica_ratings_options){.titles = temp_path("none")}, &ratings),
        MICA_E_NOT_FOUND, "none");
}
END_TEST

START_TEST(bad_lines) {
    mica_ratings_options stars = {.lowest = 1, .highest = 5}, implicit = {.implicit = true},
                         csv = {.format = MICA_RATINGS_CSV};
    refuse("", NULL, "empty: wanted lines of user, item and rating");
    refuse("\n \n", NULL, "empty");
    refuse("userId,movieId,rating\n", NULL, "empty");
    refuse("1,2,3\n1,3,6\n", &stars, ":2: the rating 6 is out of range: wanted 1 to 5");
    refuse("1,2,3\n1,3,0.5\n", &stars, ":2: the rating 0.5 is out of range");
    refuse("1,2,nan\n", NULL, ":1: field 3 is the rating: wanted a number, came \"nan\"");
    refuse("1,2,1e300\n", NULL, ":1: the rating \"1e300\" is too large");
    refuse("1,2,3\n1,3,inf\n", NULL, ":2: field 3 is the rating: wanted a number, came \"inf\"");
    refuse("1,2,good\n", NULL, ":1: field 3 is the rating: wanted a number, came \"good\"");
    refuse("1,2,3\nu,v,good\n", NULL, ":2: field 3 is the rating");
    refuse("1,2,3\n1,3,4x\n", NULL, ":2: field 3 is the rating: wanted a number, came \"4x\"");
    refuse("1,2,3\n1,3,\n", NULL, ":2: field 3 is the rating: wanted a number, came \"\"");
    refuse("1,2,3,4\n1,3,4,today\n", NULL, ":2: field 4 is the time");
    refuse("1,2,3,1e30\n", NULL, ":1: field 4 is the time");
    refuse("1,2,3\n1,3\n", NULL, ":2: wanted 3 fields as in the lines before, came 2");
    refuse("1,2,3\n1,3,4,5\n", NULL, ":2: wanted 3 fields as in the lines before, came 4");
    refuse(
        "1,2\n", NULL, ":1: wanted user, item, rating and perhaps the time, 3 to 4 fields, came 2");
    refuse("1,2,3,4,5\n", NULL, "3 to 4 fields, came 5");
    refuse("1\n", NULL, ":1: wanted a user, an item and a rating with commas, tabs or ::");
    refuse("1|2|3\n", NULL, ":1: wanted a user, an item and a rating with commas");
    refuse("1\t2\t3\n", &csv, ":1: wanted user, item, rating");
    refuse("1\n", &implicit, ":1: wanted a user");
    refuse("1,2,3,4,5\n", &implicit, ":1: wanted user, item, perhaps a value and perhaps the time");
    refuse("1,,3\n", NULL, ":1: the item's id is empty");
    refuse("1,2,3\n ,2,3\n", NULL, ":2: the user's id is empty");
    refuse("1,\"2,3\n", NULL, ":1: a quote that is not closed");
    refuse("1,\"2\"x,3\n", NULL, ":1: a quote that is not closed, or text behind one");
    refuse("1,2,3\n\xff\xfe,2,3\n", NULL, ":2: not UTF-8");
    refuse("user,item,rating\nu,i,1\nu,j,1\nv,i,2\n\nu,j,4\nu,i,5\n", NULL,
        ":6: user \"u\" rates item \"j\" again, after line 3");
    refuse("u,i,1\nu,j,1\n", NULL, "ratings of 2 items by 1 users: wanted at least two of each");
    refuse("u,i,1\nv,i,1\n", NULL, "ratings of 1 items by 2 users");
    mica_ratings *ratings = NULL;
    ck_refused(mica_ratings_read(temp_write("bad", "1,2,3\n1,\0,4\n", 12), NULL, &ratings),
        MICA_E_FORMAT, ":2: a zero byte");
    ck_refused(
        mica_ratings_read(temp_path("none"), NULL, &ratings), MICA_E_NOT_FOUND, "cannot read");
    mica_ratings_options upside = {.lowest = 5, .highest = 1}, unknown = {.format = 9};
    ck_refused(mica_ratings_read(file("x", "1,2,3\n"), &upside, &ratings), MICA_E_INVALID,
        "lowest 5, highest 1");
    ck_refused(
        mica_ratings_read(file("x", "1,2,3\n"), &unknown, &ratings), MICA_E_INVALID, "no format 9");
    ck_assert_ptr_null(ratings);
}
END_TEST

/* Writes one member of a tar archive; returns the bytes that it takes. */
static size_t tar_member(char *to, const char *name, const char *text) {
    size_t size = strlen(text), blocks = (size + 511) / 512;
    memset(to, 0, 512 * (1 + blocks));
    snprintf(to, 100, "%s", name);
    snprintf(to + 124, 12, "%011o", (unsigned)size);
    memset(to + 148, ' ', 8);
    to[156] = '0';
    memcpy(to + 257,
        "ustar\0"
        "00",
        8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)to[i];
    snprintf(to + 148, 8, "%06o", sum);
    memcpy(to + 512, text, size);
    return 512 * (1 + blocks);
}

START_TEST(reads_archive) {
    static char tar[8192];
    size_t at = tar_member(tar, "set/xu.data", "none of this");
    at += tar_member(tar + at, "set/u.data", "u1\ta\t4\nu1\tb\t2\nu2\tb\t5\n");
    at += tar_member(tar + at, "set/u.item", "a|First (1999)|x\nb|Second|y\n");
    char path[4][600];
    snprintf(path[0], 512, "%s", temp_gzip("set.tar.gz", tar, at + 1024));
    snprintf(path[1], 600, "%.512s/u.data", path[0]);
    snprintf(path[2], 600, "%.512s/set/u.data", path[0]);
    snprintf(path[3], 600, "%.512s/u.item", path[0]);
    for (int i = 1; i < 3; i++) {
        mica_ratings *ratings;
        ck_ok(mica_ratings_read(path[i], &(mica_ratings_options){.titles = path[3]}, &ratings));
        check_three(ratings, false);
        ck_assert_str_eq(mica_ratings_get_info(ratings)->titles[0], "First (1999)");
        mica_ratings_destroy(&ratings);
    }
    mica_ratings *ratings = NULL;
    snprintf(path[1], 600, "%.512s/u.nothing", path[0]);
    ck_refused(mica_ratings_read(path[1], NULL, &ratings), MICA_E_NOT_FOUND,
        "set.tar.gz: there is no u.nothing in it");
    snprintf(path[1], 600, "%.512s/u.data", temp_write("cut.tar", tar, 1200));
    ck_refused(mica_ratings_read(path[1], NULL, &ratings), MICA_E_FORMAT, "cut off");
    ck_assert_ptr_null(ratings);
}
END_TEST

START_TEST(arrays) {
    static const int32_t user[] = {0, 0, 2}, item[] = {1, 0, 1}, bad[] = {0, 3, 2},
                         twice[] = {1, 1, 1};
    static const float value[] = {1, 2, 3}, broken[] = {1, NAN, 3};
    static const int64_t time[] = {3, 2, 1};
    mica_ratings *ratings = NULL;
    ck_ok(mica_ratings_from_arrays(user, item, value, time, 3, 3, 2, NULL, &ratings));
    const mica_ratings_info *info = mica_ratings_get_info(ratings);
    ck_assert_int_eq(info->users, 3);
    ck_assert_str_eq(info->user_ids[2], "2");
    ck_assert_int_eq(info->by_user.start[2], 2); /* user 1 has none */
    ck_assert_int_eq(info->by_user.other[0], 0); /* ascending */
    ck_assert_float_eq(info->by_user.value[0], 2);
    ck_assert_ptr_null(info->titles);
    ck_assert_int_eq(info->time[0], 3);
    mica_ratings_destroy(&ratings);
    ck_refused(mica_ratings_from_arrays(bad, item, value, NULL, 3, 3, 2, NULL, &ratings),
        MICA_E_INVALID, "rating 1: user 3, item 0: wanted users below 3 and items below 2");
    ck_refused(mica_ratings_from_arrays(user, item, broken, NULL, 3, 3, 2, NULL, &ratings),
        MICA_E_INVALID, "rating 1: value");
    ck_refused(mica_ratings_from_arrays(user, twice, value, NULL, 3, 3, 2, NULL, &ratings),
        MICA_E_INVALID, "rating 1: user 0 rates item 1 again, after rating 0");
    ck_refused(mica_ratings_from_arrays(user, item, value, NULL, 0, 3, 2, NULL, &ratings),
        MICA_E_INVALID, "came 0 ratings");
    ck_refused(mica_ratings_from_arrays(user, item, value, NULL, 3, 3, 2,
                   &(mica_ratings_options){.lowest = 2, .highest = 5}, &ratings),
        MICA_E_INVALID, "rating 0: value 1: wanted 2 to 5");
    ck_assert_ptr_null(ratings);
}
END_TEST

START_TEST(datasets) {
    static const int32_t user[] = {0, 0, 2}, item[] = {1, 3, 1};
    static const float value[] = {1, 2, 3};
    mica_ratings *ratings;
    mica_dataset *set = NULL;
    ck_ok(mica_ratings_from_arrays(user, item, value, NULL, 3, 3, 4, NULL, &ratings));
    ck_ok(mica_dataset_from_ratings(ratings, NULL, 0.5f, &set));
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->count, 3);
    ck_assert(mica_shape_equal(info->sample, MICA_SHAPE(2)));
    ck_assert(info->dtype == MICA_I32 && info->target_dtype == MICA_F32 && !info->target.rank);
    ck_assert(info->target_lowest == 0.5f && info->target_highest == 2.5f);
    int32_t ids[3];
    float target;
    ck_ok(mica_dataset_sample(set, 1, ids, &target));
    ck_assert_int_eq(ids[0], 0);
    ck_assert_int_eq(ids[1], 3);
    ck_assert_float_eq(target, 1.5f);
    mica_dataset_destroy(&set);

    ck_ok(mica_dataset_from_ratings(ratings, ratings, 0, &set));
    mica_ratings_destroy(&ratings);
    ck_assert(mica_shape_equal(mica_dataset_get_info(set)->sample, MICA_SHAPE(3)));
    mica_loader *loader;
    ck_ok(mica_loader_create(set, &(mica_loader_options){.batch = 3, .seed = 5}, &loader));
    int drawn[4] = {0};
    for (int epoch = 0; epoch < 200; epoch++) {
        mica_batch batch;
        ck_ok(mica_loader_next(loader, &batch));
        for (int i = 0; i < 3; i++) {
            const int32_t *sample = batch.ids + 3 * i;
            ck_assert(sample[0] == user[i] && sample[1] == item[i]);
            ck_assert(sample[2] >= 0 && sample[2] < 4);
            ck_assert_int_ne(sample[2], 1);
            if (!sample[0])
                ck_assert_int_ne(sample[2], 3);
            drawn[sample[2]]++;
        }
    }
    ck_assert(drawn[0] > 100 && drawn[2] > 100 && drawn[3] > 30);
    mica_loader_destroy(&loader);
    mica_dataset_destroy(&set);

    ck_ok(mica_ratings_from_arrays(user, item, value, NULL, 2, 1, 4, NULL, &ratings));
    ck_ok(mica_dataset_from_ratings(ratings, ratings, 0, &set));
    mica_dataset_destroy(&set);
    mica_ratings_destroy(&ratings);
    static const int32_t same[] = {0, 0}, both[] = {0, 1};
    ck_ok(mica_ratings_from_arrays(same, both, value, NULL, 2, 1, 2, NULL, &ratings));
    ck_refused(mica_dataset_from_ratings(ratings, ratings, 0, &set), MICA_E_INVALID,
        "user \"0\" has rated all 2 items");
    mica_ratings_destroy(&ratings);
    ck_assert_ptr_null(set);
}
END_TEST

START_TEST(movielens) {
    static const char archive[] = SHARED_DATA "/movielens-100k/ml-100k.tar.gz";
    if (access(archive, F_OK))
        return;
    mica_ratings *ratings, *train, *test;
    ck_ok(mica_ratings_read(SHARED_DATA "/movielens-100k/ml-100k.tar.gz/u.data",
        &(mica_ratings_options){.lowest = 1,
            .highest = 5,
            .titles = SHARED_DATA "/movielens-100k/ml-100k.tar.gz/ml-100k/u.item"},
        &ratings));
    const mica_ratings_info *info = mica_ratings_get_info(ratings);
    ck_assert_int_eq(info->count, 100000);
    ck_assert_int_eq(info->users, 943);
    ck_assert_int_eq(info->items, 1682);
    ck_assert_double_eq_tol(info->mean, 3.52986, 1e-5);
    ck_assert_str_eq(info->titles[mica_ratings_item(ratings, "1")], "Toy Story (1995)");
    ck_assert_str_eq(
        info->titles[mica_ratings_item(ratings, "543")], "Mis\xc3\xa9rables, Les (1995)");
    ck_ok(mica_ratings_split(
        ratings, &(mica_ratings_split_options){.kind = MICA_SPLIT_FOLD}, &train, &test));
    ck_assert_int_eq(mica_ratings_get_info(train)->count, 80000);
    ck_assert_int_eq(mica_ratings_get_info(test)->count, 20000);
    ck_assert_str_eq(
        mica_ratings_get_info(test)->user_ids[mica_ratings_get_info(test)->user[0]], "196");
    mica_ratings_destroy(&ratings);
    mica_ratings_destroy(&train);
    mica_ratings_destroy(&test);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ratings");
    TCase *cases = tcase_create("ratings");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, temp_make, temp_remove);
    tcase_add_test(cases, formats);
    tcase_add_test(cases, columns);
    tcase_add_test(cases, reads_ids);
    tcase_add_test(cases, reads_implicit);
    tcase_add_test(cases, titles);
    tcase_add_test(cases, bad_lines);
    tcase_add_test(cases, reads_archive);
    tcase_add_test(cases, arrays);
    tcase_add_test(cases, datasets);
    tcase_add_test(cases, movielens);
    suite_add_tcase(suite, cases);
    return temp_run(suite);
}
