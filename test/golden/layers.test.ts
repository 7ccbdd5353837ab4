import { describeLayers } from './layer-runs.js';

describeLayers('layers', 'layers');
