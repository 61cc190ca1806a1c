// Conduit by its generated client: what is not in the page about clients.
import { articlesCreate, articlesUpdate, conduitArticles, conduitChangeMe, conduitRegister } from './client';
import { client } from './client/client.gen';

declare const process: { argv: string[] };

// Nothing, the response 204, is for clients that may not read what they wrote.
function shown<T>(data: T | void): T {
  if (!data) throw new Error('204');
  return data;
}

async function writeArticles(): Promise<void> {
  client.setConfig({ baseUrl: process.argv[2] ?? '' });
  const user = { email: 'ts@conduit.example', password: 'correct horse battery', username: 'ts' };
  const registered = await conduitRegister({ body: { user }, throwOnError: true });
  client.setConfig({ auth: `Token ${shown(registered.data).user.token}` });

  const article = { title: 'From TypeScript', description: 'A client', body: 'Typed.', tagList: ['typescript'] };
  const created = await articlesCreate({ body: { article }, throwOnError: true });
  await articlesCreate({ body: { article: { ...article, tagList: ['other'] } }, throwOnError: true });

  const listed = await conduitArticles({ query: { tag: 'typescript', author: 'ts', limit: 5 }, throwOnError: true });
  console.log(listed.data.articles.map((card) => card.title).join(), listed.data.articlesCount);

  const path = { slug: created.data.article.slug };
  const updated = await articlesUpdate({ path, body: { article: { description: 'Changed' } }, throwOnError: true });
  console.log(shown(updated.data).article.title, shown(updated.data).article.description);

  for (const change of [{ bio: 'Writes.', image: 'https://conduit.example/ts.png' }, { bio: null }]) {
    const me = await conduitChangeMe({ body: { user: change }, throwOnError: true });
    console.log(shown(me.data).user.bio, shown(me.data).user.image);
  }

  const refused = await articlesCreate({ body: { article: { ...article, title: '' } } });
  console.log(refused.response?.status, JSON.stringify(refused.error));
}

void writeArticles();
