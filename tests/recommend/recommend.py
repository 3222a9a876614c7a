"""Neighbourhood models from recipes, and `mica recommend`: the structure of the ratings that come with
Mica is found, runs are measured and continued, MovieLens' error is what the recipes say where that data
set is at hand, and there is one clear line for each mistake.

Usage: recommend.py MICA SOURCE DEVICE. With SOURCE/../shared/data or $MICA_DATA."""
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile

mica, source, device = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3]
data = pathlib.Path(os.environ.get('MICA_DATA', source.parent / 'shared' / 'data'))
recipes = source / 'recipes'
environment = {key: value for key, value in os.environ.items() if key != 'MICA_DATA'}
OURS = ['--set', 'data.set=ratings', '--set', 'data.split=random']


def run(*arguments):
    return subprocess.run([mica, *map(str, arguments)], text=True, capture_output=True,
                          env=environment)


def check(condition, message):
    if not condition:
        sys.exit(f'FAILED: {message}')


def ok(*arguments):
    result = run(*arguments)
    check(result.returncode == 0, f'{arguments}: exit {result.returncode}: {result.stderr}')
    return result.stdout


def as_json(*arguments):
    return json.loads(ok(*arguments, '--json').splitlines()[-1])


def refused(words, *arguments, code=2):
    result = run(*arguments)
    check(result.returncode == code, f'{arguments}: exit {result.returncode}, not {code}')
    lines = [line for line in result.stderr.splitlines() if not line.startswith('training on ')]
    check(len(lines) == 1 and words in lines[0], f'{arguments}: wanted "{words}": {result.stderr}')
    check(not result.stdout, f'{arguments}: on stdout: {result.stdout}')


def genre(title):
    return title.rsplit('(', 1)[1].split(',')[0]


def check_items(folder, titles, least, step=9):
    """Of the items most similar to another nearly all are of its genre."""
    same = count = 0
    for item, title in list(titles.items())[::step]:
        answer = as_json('recommend', folder, '--item', item, '--top', 5)
        check(answer['item'] == {'id': item, 'title': title}, f'{answer}')
        scores = [entry['score'] for entry in answer['items']]
        check(scores == sorted(scores, reverse=True), f'{scores} are in order')
        for entry in answer['items']:
            check(entry['id'] != item and titles[entry['id']] == entry['title'], f'{entry}')
            same += genre(entry['title']) == genre(title)
            count += 1
    check(same >= least * count, f'{folder}: {same} of {count} similar items are of the genre')


def check_users(folder, titles, seen, step=16):
    """What is recommended is new to a user, and more of it is of the user's genre than the quarter
    that chance would give, although little of that is left."""
    liked = count = 0
    for user in list(seen)[::step]:
        answer = as_json('recommend', folder, '--user', user, '--exclude-seen', '--top', 5)
        check(len(answer['items']) == 5, f'{answer}')
        for entry in answer['items']:
            check(entry['id'] not in seen[user], f'{user} has rated {entry["id"]}')
            liked += genre(titles[entry['id']]).lower() == user.split('-')[0]
            count += 1
        everything = as_json('recommend', folder, '--user', user, '--top', 120)['items']
        check(any(entry['id'] in seen[user] for entry in everything), f'{user}: all are new')
    check(liked >= 0.4 * count, f'{folder}: {liked} of {count} recommended items are of the genre')


def shipped(folder):
    with open(recipes / 'data' / 'ratings-titles.csv', encoding='utf-8', newline='') as file:
        titles = {row['item']: row['title'] for row in csv.DictReader(file)}
    seen = {}
    with open(recipes / 'data' / 'ratings.csv', encoding='utf-8', newline='') as file:
        for row in csv.DictReader(file):
            seen.setdefault(row['user'], set()).add(row['item'])
    for name in 'item-item', 'user-item':
        out = folder / name
        trained = as_json('train', recipes / f'movielens-{name}.yaml', *OURS, '--set',
                          'neighbours.k=30', '--device', device, '--out', out)
        check(trained['test_rmse'] < 0.62 < 0.8 < trained['baseline_biases_rmse'], f'{trained}')
        check(trained['test_recall_at_10'] > 1.5 * trained['baseline_popularity_recall_at_10'],
              f'{trained}')
        again = as_json('eval', out)
        check(all(trained[key] == value for key, value in again.items()), f'{trained} {again}')
        more = as_json('train', out, '--resume', '--device', device)
        check(all(more[key] == value for key, value in again.items()), f'{more} {again}')
        refused('holds a run', 'train', recipes / f'movielens-{name}.yaml', *OURS, '--out', out)
        picture = (out / 'comparison.svg').read_text()
        check(f"{trained['test_rmse']:.4f}" in picture and 'popularity' in picture, picture)
        row = json.loads((out / 'metrics.jsonl').read_text())
        check(abs(row['test_rmse'] - trained['test_rmse']) < 1e-6, f'{row}')
        check_items(out, titles, 0.9 if name == 'item-item' else 0.5)
        check_users(out, titles, seen)
    network = folder / 'mf'
    ok('train', recipes / 'movielens-mf.yaml', *OURS, '--set', 'epochs=40', '--device', device, '--out',
       network)
    check_items(network, titles, 0.8, 24)
    check_users(network, titles, seen, 50)


def mistakes(folder):
    out = folder / 'item-item'
    refused('no user "jaz-07"; did you mean jazz-07?', 'recommend', out, '--user', 'jaz-07')
    refused('did you mean "Blue Kettle (Jazz', 'recommend', out, '--item', 'Blu Kettle (Jaz, 1981)')
    refused('several items are called "kettle"', 'recommend', out, '--item', 'kettle')
    refused('no item ""', 'recommend', out, '--item', '')
    refused('expected --user ID or --item ID', 'recommend', out)
    refused('expected --user ID or --item ID', 'recommend', out, '--user', 'jazz-07', '--item', 'N100')
    refused('--exclude-seen goes with --user', 'recommend', out, '--item', 'N100', '--exclude-seen')
    refused('is not the folder of a run', 'recommend', folder / 'none', '--user', 'jazz-07')
    refused('neighbourhood model has no network', 'summary', out)
    title = as_json('recommend', out, '--item', 'blue kettle (jazz')
    check(title['item']['title'].startswith('Blue Kettle (Jazz'), f'{title}')
    text = ok('recommend', out, '--item', title['item']['id'], '--top', 2).splitlines()
    check(len(text) == 3 and text[0].startswith('similar to Blue Kettle') and '(' in text[1], f'{text}')
    file = folder / 'ratings.csv'
    own = folder / 'own.yaml'

    def refused_data(words, text, *more):
        file.write_text(text)
        own.write_text('data: {set: ratings, files: [ratings.csv], test: 0}\nneighbours: {by: users}\n')
        refused(words, 'train', own, '--device', device, '--out', folder / 'bad', *more)

    refused_data('at least two of each', 'user,item,rating\na,x,3\na,y,4\n')
    refused_data('no two users have 2 items in common', 'user,item,rating\na,x,3\nb,y,4\n')
    refused_data('unknown key in neighbours: shrink', 'a,x,3\n', '--set', 'neighbours.shrink=3')
    refused_data('adjusted_cosine compares items', 'a,x,3\n', '--set',
                 'neighbours.similarity=adjusted_cosine')
    refused_data('no use for validation', 'a,x,3\n', '--set', 'data.validation=0.1')
    refused_data('among ratings', 'a,x,3\n', '--set', 'data.set=text')


def movielens(folder):
    for name, most in ('item-item', 0.945), ('user-item', 0.945):
        result = as_json('train', recipes / f'movielens-{name}.yaml', '--data', data, '--device', device,
                         '--out', folder / f'movielens-{name}')
        check(result['test_rmse'] < most, f'{name}: {result}')
        check(result['test_ndcg_at_10'] > result['baseline_popularity_ndcg_at_10'], f'{name}: {result}')
    answer = as_json('recommend', folder / 'movielens-item-item', '--item', 'Star Wars (1977)', '--data',
                     data, '--top', 2)
    check([entry['id'] for entry in answer['items']] == ['172', '181'], f'{answer}')


with tempfile.TemporaryDirectory() as temporary:
    shipped(pathlib.Path(temporary))
    mistakes(pathlib.Path(temporary))
    if 'opencl' in device and (data / 'movielens-100k').exists():
        movielens(pathlib.Path(temporary))
