import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { StreamService } from './stream.service.js';

const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();
app.get(StreamService).events$().subscribe((evt) => console.log(`local viewer: ${evt.type} ${JSON.stringify(evt.data)}`));
