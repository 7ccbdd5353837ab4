import { describeLayers } from './layer-runs.js';

describeLayers('recurrent layers', 'recurrent');
