#!/usr/bin/env python3
"""Writes ratings.csv and ratings-titles.csv: ratings with a known structure, all made up.

200 users in 4 groups, 120 items of 4 genres. A user gives an item
    3.3 + user's bias + item's bias + (1.0 if the item is of the user's genre, else -0.45) + noise
rounded to half stars from 0.5 to 5; biases have a deviation of 0.35, the noise of 0.45. Users rate
20 to 50 items, popular ones more often and twice as often those of their genre. Who foresees all but
the noise has an RMSE of 0.45. Ids and titles name group and genre: user "jazz-07", item "N103",
"Blue Kettle (Jazz, 1981)".

    python3 make_ratings.py            # the same bytes on every machine
"""
import csv
import math
import pathlib
import random

GENRES = ["Western", "Comedy", "Thriller", "Jazz"]
USERS, ITEMS = 200, 120
NOISE = 0.45
FIRST = ["Blue", "Silent", "Golden", "Broken", "Hidden"]
FIRST += ["Paper", "Winter", "Crooked", "Little", "Last"]
SECOND = ["Kettle", "Harbour", "Lantern"]


def normal(rng):
    """Box and Muller's, from the generator's bits alone: random.gauss may change."""
    return math.sqrt(-2 * math.log(1 - rng.random())) * math.cos(2 * math.pi * rng.random())


def main():
    rng = random.Random(4)
    items = []
    for i in range(ITEMS):
        genre = i % 4
        title = f"{FIRST[i // 4 % 10]} {SECOND[i // 40]} ({GENRES[genre]}, {1960 + 7 * i % 50})"
        items.append((f"N{100 + i}", genre, 0.35 * normal(rng), 0.2 + rng.random() ** 3, title))
    ratings = []
    for u in range(USERS):
        group = u % 4
        name, bias = f"{GENRES[group].lower()}-{u // 4:02}", 0.35 * normal(rng)
        chances = [(2 if genre == group else 1) * pull for _, genre, _, pull, _ in items]
        left, now = list(range(ITEMS)), 1_600_000_000 + int(rng.random() * 1e7)
        for _ in range(20 + int(rng.random() * 31)):
            at = rng.random() * sum(chances[i] for i in left)
            for i in left:
                at -= chances[i]
                if at < 0:
                    break
            left.remove(i)
            taste = 1.0 if items[i][1] == group else -0.45
            value = 3.3 + bias + items[i][2] + taste + NOISE * normal(rng)
            now += 60 + int(rng.random() * 86400)
            stars = min(5.0, max(0.5, math.floor(2 * value + 0.5) / 2))
            ratings.append((name, items[i][0], stars, now))
    for i in range(len(ratings) - 1, 0, -1):
        j = int(rng.random() * (i + 1))
        ratings[i], ratings[j] = ratings[j], ratings[i]
    folder = pathlib.Path(__file__).resolve().parent
    for name, head, rows in [
        ("ratings.csv", ["user", "item", "rating", "time"], ratings),
        ("ratings-titles.csv", ["item", "title"], [(item[0], item[4]) for item in items]),
    ]:
        with open(folder / name, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(head)
            writer.writerows(rows)


if __name__ == "__main__":
    main()
