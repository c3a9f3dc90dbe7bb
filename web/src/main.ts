import { mount } from 'svelte';
import './app.css';
import App from './App.svelte';
import { HttpSource } from './http_source.ts';

const target = document.getElementById('app');
if (!target) throw new Error('the page must have an element with id "app".');
mount(App, { target, props: { source: new HttpSource() } });
